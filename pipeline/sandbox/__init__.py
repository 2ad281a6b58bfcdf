"""Runs the patient on real servers: processes, ports, logs and faults in one folder."""
