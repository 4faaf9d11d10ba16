"""Runs a module of ours with a kubeconfig: `python -m tests.e2e.as_identity KUBECONFIG MODULE [FLAG ...]`."""

import os
import runpy
import sys

if __name__ == "__main__":
    _, os.environ["KUBECONFIG"], module, *flags = sys.argv
    sys.argv = [module, *flags]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
