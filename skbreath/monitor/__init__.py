"""The page of ``skbreath monitor``: breath sounds in the browser.

In: sound of a browser's microphone, or a file, over a WebSocket. Out: phases, rate and
pauses as messages of JSON, which the page draws. Only this computer can connect.

May import: audio, phases, segmentation and utils.
Tests: ``pytest tests/monitor``.
"""
