"""A robot session as a file in ``config/sessions``: who does what, how often, for how long, and where data go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from tenon.configuration.base import Config
from tenon.configuration.recording import RecordingConfig

ControllerName = Literal[
    "p_controller", "p_dither", "residual", "policy", "localise", "down", "random", "spiral", "gait", "teleop"
]
LEARNED: tuple[ControllerName, ...] = ("residual", "policy")
"""Controllers that need a policy: it acts beside a hand-written controller, or alone."""
SEARCHES: tuple[ControllerName, ...] = ("localise", "down", "random", "spiral")
"""Scripted controllers of tasks without a hand-written one (tenon.control.search)."""
RewardName = Literal["electrical", "completion", "dense", "goal_image", "daib"]
Name = Annotated[str, Field(min_length=1)]

NS_PER_S = 1_000_000_000
STATES_PER_CONTROL = 5


class ResetConfig(Config):
    """The way back to the start of an episode (insertion.md 2.5), in steps of one control period.

    withdraw_m: height above the estimated goal to which the arm goes straight up first; at most the start height, which
    the task states. step_m, turn_rad: largest step per control period. lead_m: the target is never further ahead of the
    arm than this, so a jammed plug is not pulled with more than stiffness times lead_m.
    tolerance_m, tolerance_rad: the start pose counts as reached within these for settle_ticks in a row.
    correction_m: greatest offset by which the last target is moved to take out a steady error of the arm.
    timeout_s: session time after which an attempt has failed. attempts: tries before the session stops with a fault.
    """

    withdraw_m: PositiveFloat = 0.04
    step_m: PositiveFloat = 0.015
    turn_rad: PositiveFloat = 0.05
    lead_m: PositiveFloat = 0.02
    tolerance_m: Annotated[PositiveFloat, Field(le=0.001)] = 0.001
    tolerance_rad: PositiveFloat = 0.02
    settle_ticks: PositiveInt = 2
    correction_m: NonNegativeFloat = 0.005
    timeout_s: PositiveFloat = 15.0
    attempts: Annotated[PositiveInt, Field(le=10)] = 3

    @model_validator(mode="after")
    def _moves(self) -> ResetConfig:
        if self.lead_m < self.step_m:
            raise ValueError(f"lead_m {self.lead_m} must not be below step_m {self.step_m}: the arm could not move")
        return self


class TareConfig(Config):
    """window_s: length of the mean. samples_min: fewer readings in the window are refused.

    speed_max_m_s, drift_max_m: the arm moves if it is faster, or further from where it began.
    rest_s: so long it may take to come to rest; the window begins anew until then.
    force_spread_max_n: standard deviation of a force axis above which somebody touches the tool.
    """

    window_s: PositiveFloat = 5.0
    samples_min: PositiveInt = Field(default=50, ge=2)
    speed_max_m_s: PositiveFloat = 0.005
    drift_max_m: PositiveFloat = 0.001
    rest_s: NonNegativeFloat = 2.0
    force_spread_max_n: PositiveFloat = 2.0


class PracticeConfig(Config):
    """Practice on a new part with a policy that is there already (daib.md 2.5), judged by the session's own reward.

    The session's ``episodes`` are its trials at most. evaluate_every: trials from one evaluation to the next. draws:
    episodes of an evaluation (20 in daib.md 5). target: share of successes with which practice ends. target_times:
    evaluations in a row that must reach it. deterministic: evaluations act by the policy's mean.
    prior_share: of every batch, from the data that the policy was trained on (daib.md 2.5). warmup_transitions: own
    ones before the first update. updates_per_transition: 1 in daib.md 3; why 2: docs/results/on-the-job.md.
    """

    evaluate_every: PositiveInt = 25
    draws: PositiveInt = 20
    target: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    target_times: PositiveInt = 2
    deterministic: bool = True
    prior_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.75
    warmup_transitions: PositiveInt = 100
    updates_per_transition: PositiveFloat = 2.0


class ImageSizeConfig(Config):
    """Pixels of the picture that policy and reward see (32 x 32 in the released code of insertion.md)."""

    width: PositiveInt = 32
    height: PositiveInt = 32


class SessionConfig(Config):
    """One session. robot, task, algorithm, safety, cameras: names of files in ``config``, or paths.

    connector: a file in ``config/connectors``, where it is not the task's. safety: left out, the robot's own.
    observation: what the policy sees: the state, or the wrist camera's picture beside it.
    calibration: a file in ``config/calibrations``, what was taught and measured at this stand: its goal, reset posture,
    tare, camera mount and goal image then count. None: the goal is where the task says.
    train: transitions go to the trainer, and every episode runs to its horizon. deterministic: the policy answers with
    its mean (insertion.md pitfall 4: evaluate SAC stochastically under goal error).
    goal_error_m: the goal is off by U(-e, e) on x and y; None: as the task says. seed: of the first episode, each next
    one counts up.
    control_rate_hz, state_rate_hz, camera_rate_hz, heartbeat_rate_hz, inner_rate_hz: in session time.
    real_time_factor: session seconds per second; a real arm needs 1. 0: as fast as the graph keeps up.
    lockstep_timeout_s: seconds of real time that a simulation waits at each control tick for the command; None: it does
    not wait. stream_timeout_s: session time within which an observation's action and reward must have come.
    heartbeat_timeout_s: the arm stops by itself when the supervisor is silent for longer.
    teleop: a file in ``config/teleop``, the device by which a person may take over (or drives all of it, with the
    controller "teleop"); None: nobody can. teleop_timeout_s: a teleoperator who fell silent has handed back.
    teleop_horizon_s: an episode that a person drives ends after it, where they do not end it themselves by a mark.
    operator: who runs the session, for the recordings. service_timeout_s: seconds of real time for a service's answer.
    goal_image: picture of the finished state, for the reward of that name. reward_checkpoint: folder of the classifier,
    for the reward "daib". localiser: folder of what tells the socket's place from a picture, for the controller of that
    name; the other searches begin where it says, where the goal's error is a ring.
    weights_every_updates: gradient steps from one publication of the weights to the next. wait_for_training: an episode
    of practice begins once all of the one before is trained on, so that a fast simulation practises as a real arm does.
    prior_data: demonstrations or logs that the trainer starts from: the folder of a training, of a replay, of a run or
    of recorded episodes. initial_checkpoint: folder of a checkpoint whose networks are trained further. Both are read
    once, when the trainer's folder is made. practice: the session evaluates, practises and keeps the best policy
    (``tenon session run --finetune``); None: it runs its episodes.
    recording: how episodes are recorded, and which further cameras.
    run_directory: where episodes, replay and checkpoints go.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    robot: Name
    task: Name
    connector: Name | None = None
    controller: ControllerName = "residual"
    algorithm: Name = "sac"
    observation: Literal["state", "image"] = "state"
    reward: RewardName = "electrical"
    cameras: tuple[Name, ...] = ()
    safety: Name | None = None
    calibration: Name | None = None
    episodes: PositiveInt
    seed: NonNegativeInt = 0
    train: bool = True
    deterministic: bool = False
    goal_error_m: Annotated[float, Field(ge=0.0, le=0.02)] | None = None
    control_rate_hz: Annotated[PositiveFloat, Field(le=100.0)] = 10.0
    state_rate_hz: Annotated[PositiveFloat, Field(le=1000.0)] = 100.0
    camera_rate_hz: Annotated[PositiveFloat, Field(le=240.0)] = 10.0
    heartbeat_rate_hz: Annotated[PositiveFloat, Field(le=1000.0)] = 50.0
    inner_rate_hz: Annotated[PositiveFloat, Field(le=1000.0)] = 500.0
    real_time_factor: Annotated[float, Field(ge=0.0, le=1000.0)] = 1.0
    lockstep_timeout_s: PositiveFloat | None = None
    stream_timeout_s: PositiveFloat = 1.0
    heartbeat_timeout_s: PositiveFloat = 0.15
    teleop: Name | None = None
    teleop_timeout_s: PositiveFloat = 0.15
    teleop_horizon_s: PositiveFloat = 120.0
    operator: str = ""
    service_timeout_s: PositiveFloat = 10.0
    weights_every_updates: PositiveInt = 25
    wait_for_training: bool = False
    goal_image: Path | None = None
    reward_checkpoint: Path | None = None
    localiser: Path | None = None
    prior_data: Path | None = None
    initial_checkpoint: Path | None = None
    observation_image: ImageSizeConfig = ImageSizeConfig()
    success_ticks: PositiveInt = 3
    practice: PracticeConfig | None = None
    reset: ResetConfig = ResetConfig()
    tare: TareConfig = TareConfig()
    recording: RecordingConfig = RecordingConfig()
    run_directory: Path = Path("runs/session")

    @property
    def control_period_s(self) -> float:
        """Period of the outer loop."""
        return 1.0 / self.control_rate_hz

    @property
    def control_period_ns(self) -> int:
        """Period of the outer loop."""
        return round(NS_PER_S / self.control_rate_hz)

    @property
    def command_validity_ns(self) -> int:
        """How long a reference holds: two control periods (hardware.md 8)."""
        return 2 * self.control_period_ns

    @property
    def stream_timeout_ns(self) -> int:
        return round(NS_PER_S * self.stream_timeout_s)

    @property
    def heartbeat_timeout_ns(self) -> int:
        return round(NS_PER_S * self.heartbeat_timeout_s)

    @property
    def teleop_timeout_ns(self) -> int | None:
        """None: teleoperation is off."""
        return None if self.teleop is None else round(NS_PER_S * self.teleop_timeout_s)

    @property
    def teleop_horizon_steps(self) -> int:
        """Control periods of an episode that a person drives."""
        return round(self.teleop_horizon_s * self.control_rate_hz)

    @property
    def image_needed(self) -> bool:
        """Whether the session cannot run without pictures."""
        return bool(self._image_needed_by)

    @property
    def _image_needed_by(self) -> str:
        if self.observation == "image":
            return "observation 'image'"
        if self.localiser is not None:
            return "localiser"
        return f"reward {self.reward!r}" if self.reward in ("goal_image", "daib") else ""

    @property
    def image_tolerance_ns(self) -> int:
        """How much older than its control tick a picture may be: half a period, so that a newer one is awaited."""
        return round(0.5 * NS_PER_S / self.camera_rate_hz)

    @model_validator(mode="after")
    def _rates_fit(self) -> SessionConfig:
        if self.state_rate_hz < STATES_PER_CONTROL * self.control_rate_hz:
            raise ValueError(
                f"state_rate_hz is {self.state_rate_hz}, it must be {STATES_PER_CONTROL} times control_rate_hz "
                f"({self.control_rate_hz}) or more: what is late is found at this rate, "
                "and the arm must hold within 2 control periods"
            )
        if self.inner_rate_hz < self.state_rate_hz:
            raise ValueError(f"inner_rate_hz {self.inner_rate_hz} must not be below state_rate_hz {self.state_rate_hz}")
        if self.heartbeat_timeout_s >= 2.0 * self.control_period_s:
            raise ValueError(
                f"heartbeat_timeout_s is {self.heartbeat_timeout_s}, it must be below 2 control periods "
                f"({2.0 * self.control_period_s:g} s): a killed supervisor must stop the arm within them"
            )
        if self.heartbeat_timeout_s * self.heartbeat_rate_hz < 2.0:
            raise ValueError(
                f"heartbeat_rate_hz is {self.heartbeat_rate_hz}, it must be {2.0 / self.heartbeat_timeout_s:g} or "
                "more: one lost heartbeat must not stop the arm"
            )
        return self

    @model_validator(mode="after")
    def _keeps_up(self) -> SessionConfig:
        if self.real_time_factor == 0.0 and self.lockstep_timeout_s is None:
            raise ValueError(
                "real_time_factor 0 (as fast as the graph keeps up) needs lockstep_timeout_s: without it the "
                "simulation waits for nobody"
            )
        return self

    @model_validator(mode="after")
    def _sees(self) -> SessionConfig:
        needed_by = self._image_needed_by
        if needed_by and not self.cameras:
            raise ValueError(f"{needed_by} needs a camera: name one under cameras")
        if needed_by and self.camera_rate_hz < self.control_rate_hz:
            raise ValueError(
                f"camera_rate_hz is {self.camera_rate_hz}, {needed_by} needs control_rate_hz "
                f"({self.control_rate_hz}) or more"
            )
        return self

    @model_validator(mode="after")
    def _judges(self) -> SessionConfig:
        if self.reward == "daib" and self.reward_checkpoint is None:
            raise ValueError(
                "reward 'daib' needs reward_checkpoint, the folder of a trained classifier (tenon train daib)"
            )
        if self.controller == "teleop" and self.teleop is None:
            raise ValueError("controller 'teleop' needs teleop, the device by which a person drives, such as keyboard")
        if self.controller == "localise" and self.localiser is None:
            raise ValueError("controller 'localise' needs localiser, the folder of one that was trained")
        return self
