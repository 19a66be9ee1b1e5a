"""torchrun, deaf to the scheduler's warning that the time is nearly up, and so are the processes that it starts.

SLURM sends it to every process of a job, and whoever does not know the signal is ended by it.
"""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # before torch is imported, which takes seconds

    from torch.distributed.run import main

    main()
