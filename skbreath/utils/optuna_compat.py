"""Names for trials whose process has ended, which Optuna changed in 4.9."""

__all__ = ["retry_callback", "stale_trial_callback"]


def _has_new_names():
    from optuna import storages

    return hasattr(storages, "RetryHeartbeatStaleTrialCallback")


def retry_callback(max_retry):
    """Make Optuna's callback that repeats a trial whose process has ended."""
    from optuna import storages

    new = _has_new_names()
    name = "RetryHeartbeatStaleTrialCallback" if new else "RetryFailedTrialCallback"
    return getattr(storages, name)(max_retry=max_retry)


def stale_trial_callback(callback):
    """Make the argument of ``RDBStorage`` that sets the callback for such trials."""
    new = _has_new_names()
    return {
        "heartbeat_stale_trial_callback" if new else "failed_trial_callback": callback
    }
