"""The views that no list of findings can show: the scorecard, the resilience matrix and the API table."""
