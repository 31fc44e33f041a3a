"""Run it: command line, plan, policy, dispatch, sandbox centre, calibration."""
