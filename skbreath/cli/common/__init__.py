"""What several commands share: the class of commands, options, files and results."""
