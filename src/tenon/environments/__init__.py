"""Gymnasium environments. Importing this package registers them:

``tenon/Insert-v0``: a connector under a full arm, ``gymnasium.make("tenon/Insert-v0", robot="ur5", task="hard")``.
``tenon/FlyingPeg-v0``: the same task without an arm, for fast tests.

``tenon.environments.registry`` makes these and all others by name, as they are: ``gymnasium.make`` puts Gymnasium's own
``spec`` over the one that learners need.
"""

import gymnasium

INSERT_ID, FLYING_PEG_ID = "tenon/Insert-v0", "tenon/FlyingPeg-v0"

if INSERT_ID not in gymnasium.registry:
    gymnasium.register(INSERT_ID, entry_point="tenon.environments.insertion:make_insertion")
    gymnasium.register(FLYING_PEG_ID, entry_point="tenon.environments.flying_peg:FlyingPegEnv")
