"""Names and places of LeRobotDataset v3.0 (https://huggingface.co/docs/lerobot/lerobot-dataset-v3).

meta/info.json                              features, sizes, frames per second, patterns of the paths below
meta/stats.json                             of all features, over all frames
meta/tasks.parquet                          text of each task, as a pandas index
meta/episodes/chunk-000/file-000.parquet    per episode: length, tasks, where its frames and videos are, statistics
data/chunk-000/file-000.parquet             a row per frame, episodes one after the other
videos/KEY/chunk-000/file-000.mp4           the frames of a camera, episodes one after the other
meta/tenon.json                             not LeRobot's: where each episode comes from, error of the images
"""

from __future__ import annotations

VERSION = "v3.0"
INFO, STATS, TASKS, TENON = "meta/info.json", "meta/stats.json", "meta/tasks.parquet", "meta/tenon.json"
CHUNK_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
EPISODES_PATH = f"meta/episodes/{CHUNK_FILE}.parquet"
DATA_PATH = f"data/{CHUNK_FILE}.parquet"
VIDEO_PATH = "videos/{video_key}/" + CHUNK_FILE + ".mp4"
FILES_PER_CHUNK = 1000
DATA_FILE_MIB, VIDEO_FILE_MIB = 100, 200

STATE, ACTION, IMAGE = "observation.state", "action", "observation.images.camera"
NEXT = "next."
REWARD, DONE, SUCCESS = "next.reward", "next.done", "next.success"
HUMAN = "tenon.human"
"""Whether a person drove."""
TERMINATED, TRUNCATED = "next.terminated", "next.truncated"
ACHIEVED_GOAL = "next.achieved_goal"
STAMP = "tenon.stamp_ns"
"""True stamps, where ``timestamp`` has to be frame_index / fps."""


def place(number: int) -> dict[str, int]:
    """Chunk and file of the file with this number."""
    return {"chunk_index": number // FILES_PER_CHUNK, "file_index": number % FILES_PER_CHUNK}
