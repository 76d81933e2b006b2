"""Minimisers: functions of a vector, which never see data or layers."""
