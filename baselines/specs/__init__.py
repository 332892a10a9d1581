"""Every method's hyperparameters, one file per method. Torch-free, since plans and suite checks read it.

The values are in the suite files, each with its source. Here are only names, types and ranges, and counts of the work
of a run. Each file names its algorithms, with the version that enters every run's id.
"""

from baselines.specs import (
    cikd,
    csrl,
    ctds,
    dec_hdrqn,
    dvm,
    ensemble_sac,
    knowru,
    knowru_maac,
    maac,
    maddpg,
    maddpg_epsilon_greedy,
    mappo,
    mappo_multi,
    mappo_steps,
    masac,
    mkt_marl,
    ptde,
    ptde_distill,
    ptde_mappo,
    qmix,
    qmix_multi,
    qplex,
    sac,
)
from baselines.specs.base import UNITS, Algorithm, FirstPhase, Hyperparameters, TaskSizes, Unit, Work, later
from baselines.specs.cikd import CIKD, Hardcopy
from baselines.specs.csrl import CSRL
from baselines.specs.ctds import CTDS
from baselines.specs.dec_hdrqn import DecHDRQN
from baselines.specs.dvm import DVM, DVMMADDPG, DVMMASAC
from baselines.specs.ensemble_sac import EnsembleSAC, EnsembleSACExtra, SACExtra
from baselines.specs.knowru import KnowRU, KnowRUAdversaries
from baselines.specs.knowru_maac import KnowRUMAAC
from baselines.specs.maac import MAAC
from baselines.specs.maddpg import MADDPG, MADDPGInitialized
from baselines.specs.maddpg_epsilon_greedy import EpsilonGreedyMADDPG
from baselines.specs.mappo import MAPPO
from baselines.specs.mappo_multi import MultiTaskMAPPO
from baselines.specs.mappo_steps import StepsMAPPO
from baselines.specs.masac import MASAC
from baselines.specs.mkt_marl import MKTMARL
from baselines.specs.ptde import GIP, GIU, Informed, Personal
from baselines.specs.ptde_distill import PTDE
from baselines.specs.ptde_mappo import MAPPOGIP, PersonalActors, PersonalMAPPO, PersonalStepsMAPPO, StepsMAPPOGIP
from baselines.specs.qmix import QMIX, VDN, ValueDecomposition
from baselines.specs.qmix_multi import MultiTask, MultiTaskQMIX, MultiTaskVDN
from baselines.specs.qplex import QPLEX
from baselines.specs.sac import SAC

METHODS = (
    maddpg,
    knowru,
    qmix,
    qmix_multi,
    mkt_marl,
    mappo,
    mappo_multi,
    mappo_steps,
    dec_hdrqn,
    sac,
    maddpg_epsilon_greedy,
    masac,
    dvm,
    ensemble_sac,
    cikd,
    ptde,
    ptde_distill,
    ptde_mappo,
    csrl,
    qplex,
    maac,
    knowru_maac,
    ctds,
)
ALGORITHMS: dict[str, Algorithm] = {name: own for method in METHODS for name, own in method.ALGORITHMS.items()}

__all__ = [
    "ALGORITHMS",
    "CIKD",
    "CSRL",
    "CTDS",
    "DVM",
    "DVMMADDPG",
    "DVMMASAC",
    "GIP",
    "GIU",
    "MAAC",
    "MADDPG",
    "MAPPO",
    "MAPPOGIP",
    "MASAC",
    "MKTMARL",
    "PTDE",
    "QMIX",
    "QPLEX",
    "SAC",
    "UNITS",
    "VDN",
    "Algorithm",
    "DecHDRQN",
    "EnsembleSAC",
    "EnsembleSACExtra",
    "EpsilonGreedyMADDPG",
    "FirstPhase",
    "Hardcopy",
    "Hyperparameters",
    "Informed",
    "KnowRU",
    "KnowRUAdversaries",
    "KnowRUMAAC",
    "MADDPGInitialized",
    "MultiTask",
    "MultiTaskMAPPO",
    "MultiTaskQMIX",
    "MultiTaskVDN",
    "Personal",
    "PersonalActors",
    "PersonalMAPPO",
    "PersonalStepsMAPPO",
    "SACExtra",
    "StepsMAPPO",
    "StepsMAPPOGIP",
    "TaskSizes",
    "Unit",
    "ValueDecomposition",
    "Work",
    "later",
]
