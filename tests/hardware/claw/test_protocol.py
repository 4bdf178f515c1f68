"""The emulated bus against the vendor's own library, and its checksum against the vendor's published example."""

from __future__ import annotations

import struct

import dynamixel_sdk as dxl
import pytest

from tenon_claw import control_table as table
from tenon_claw.bus import Port
from tenon_claw.emulator.protocol import RequestReader, crc16, status_packet, with_crc
from tenon_claw.emulator.servo import EmulatedServo

from .conftest import IDS, VALVE_ID

EVERY_ID = (*IDS, VALVE_ID)
PING_1 = bytes.fromhex("FFFFFD00010300 01 194E".replace(" ", ""))
"""The instruction packet of the vendor's manual: ping to servo 1."""


@pytest.fixture
def port(claw):
    port = Port(claw.settings.port, margin_s=0.5)
    assert port.openPort()
    yield port
    port.closePort()


@pytest.fixture
def packets():
    return dxl.PacketHandler(2.0)


def test_the_checksum_is_that_of_the_vendors_example():
    assert crc16(PING_1[:-2]).to_bytes(2, "little") == PING_1[-2:]


def test_a_reader_finds_packets_in_pieces_and_in_noise():
    reader = RequestReader()
    assert reader.feed(b"\x00\xff\xff" + PING_1[:5]) == []
    (request,) = reader.feed(PING_1[5:] + b"\xff\xfd")
    assert (request.servo_id, request.instruction, request.parameters) == (1, 1, b"")


def test_a_packet_with_a_wrong_checksum_is_counted_and_dropped():
    reader = RequestReader()
    assert len(reader.feed(PING_1[:-1] + b"\x00" + PING_1)) == 1
    assert reader.damaged == 1


def test_what_looks_like_a_header_is_stuffed():
    packet = status_packet(1, 0, b"\xff\xff\xfd\x01")
    assert packet.count(b"\xff\xff\xfd") == 2
    assert b"\xff\xff\xfd\xfd\x01" in packet
    assert packet == with_crc(packet[:-2])


def test_the_library_finds_all_servos(port, packets):
    found, result = packets.broadcastPing(port)
    assert result == dxl.COMM_SUCCESS
    assert sorted(found) == sorted(EVERY_ID)
    assert {model for model, _ in found.values()} == {table.MODEL_XM430_W210}


def test_a_servo_that_is_absent_times_out(port, packets):
    assert packets.ping(port, 99)[1] == dxl.COMM_RX_TIMEOUT


def test_the_library_writes_and_reads_what_has_to_be_stuffed(port, packets):
    value = struct.unpack("<I", b"\xff\xff\xfd\x00")[0]
    address = table.INDIRECT_DATA.address
    assert packets.write4ByteTxRx(port, IDS[0], address, value) == (dxl.COMM_SUCCESS, 0)
    assert packets.read4ByteTxRx(port, IDS[0], address)[0] == value


def test_the_eeprom_is_locked_while_there_is_torque(port, packets):
    assert packets.write1ByteTxRx(port, IDS[0], table.TORQUE_ENABLE.address, 1) == (dxl.COMM_SUCCESS, 0)
    _, error = packets.write1ByteTxRx(port, IDS[0], table.OPERATING_MODE.address, 3)
    assert error == table.StatusError.ACCESS
    packets.write1ByteTxRx(port, IDS[0], table.TORQUE_ENABLE.address, 0)
    assert packets.write1ByteTxRx(port, IDS[0], table.OPERATING_MODE.address, 3) == (dxl.COMM_SUCCESS, 0)


def test_what_can_only_be_read_and_what_is_out_of_range_is_refused(port, packets):
    assert packets.write4ByteTxRx(port, IDS[0], table.PRESENT_POSITION.address, 0)[1] == table.StatusError.ACCESS
    assert packets.write1ByteTxRx(port, IDS[0], table.SERVO_ID.address, 253)[1] == table.StatusError.DATA_RANGE
    far = 257 * table.TICKS_PER_TURN
    assert packets.write4ByteTxRx(port, IDS[0], table.GOAL_POSITION.address, far)[1] == table.StatusError.DATA_LIMIT


@pytest.mark.parametrize("fast", [False, True])
def test_one_read_tells_of_all_servos(claw, port, packets, fast):
    reader = dxl.GroupSyncRead(port, packets, table.PRESENT_POSITION.address, 4)
    for servo_id in EVERY_ID:
        assert reader.addParam(servo_id)
    assert (reader.fastSyncRead() if fast else reader.txRxPacket()) == dxl.COMM_SUCCESS
    for servo_id in EVERY_ID:
        position = reader.getData(servo_id, table.PRESENT_POSITION.address, 4)
        assert abs(position - claw.servo(servo_id).value(table.PRESENT_POSITION)) < 200  # fingers sag without torque


def test_bulk_read_and_bulk_write(claw, port, packets):
    writer = dxl.GroupBulkWrite(port, packets)
    writer.addParam(IDS[0], table.PROFILE_VELOCITY.address, 4, list(struct.pack("<I", 77)))
    writer.addParam(IDS[1], table.POSITION_P_GAIN.address, 2, list(struct.pack("<H", 640)))
    assert writer.txPacket() == dxl.COMM_SUCCESS
    reader = dxl.GroupBulkRead(port, packets)
    reader.addParam(IDS[0], table.PROFILE_VELOCITY.address, 4)
    reader.addParam(IDS[1], table.POSITION_P_GAIN.address, 2)
    assert reader.txRxPacket() == dxl.COMM_SUCCESS
    assert reader.getData(IDS[0], table.PROFILE_VELOCITY.address, 4) == 77
    assert reader.getData(IDS[1], table.POSITION_P_GAIN.address, 2) == 640


def test_registered_writes_wait_for_the_action(claw, port, packets):
    servo, item = claw.servo(IDS[0]), table.PROFILE_VELOCITY
    assert packets.regWriteTxRx(port, IDS[0], item.address, 4, list(struct.pack("<I", 55))) == (dxl.COMM_SUCCESS, 0)
    assert servo.value(item) == 0
    packets.action(port, 254)
    assert packets.read4ByteTxRx(port, IDS[0], item.address)[0] == 55


def test_a_corrupt_answer_is_told_apart_from_none(claw, port, packets):
    claw.bus.accidents.corrupt = 1
    assert packets.ping(port, IDS[0])[1] == dxl.COMM_RX_CORRUPT
    assert packets.ping(port, IDS[0])[1] == dxl.COMM_SUCCESS


def test_a_servo_hears_only_its_own_baud_rate(port, packets):
    assert port.setBaudRate(57_600)
    assert packets.ping(port, IDS[0])[1] == dxl.COMM_RX_TIMEOUT


def test_a_servo_that_has_shut_down_takes_torque_only_after_a_reboot(claw, port, packets):
    torque = table.TORQUE_ENABLE.address
    claw.fail(IDS[0], table.HardwareError.OVERLOAD)
    result, error = packets.write1ByteTxRx(port, IDS[0], torque, 1)
    assert (result, error) == (dxl.COMM_SUCCESS, table.ALERT | table.StatusError.RESULT_FAIL)
    assert packets.reboot(port, IDS[0])[0] == dxl.COMM_SUCCESS
    assert packets.write1ByteTxRx(port, IDS[0], torque, 1) == (dxl.COMM_SUCCESS, 0)


def test_a_servo_forgets_whole_turns_with_its_supply():
    servo = EmulatedServo(VALVE_ID)
    servo.report_shaft(-2 * table.TICKS_PER_TURN + 900)
    assert servo.value(table.PRESENT_POSITION) == -2 * table.TICKS_PER_TURN + 900
    servo.reboot()
    assert servo.value(table.PRESENT_POSITION) == servo.value(table.GOAL_POSITION) == 900
    servo.report_shaft(-2 * table.TICKS_PER_TURN + 910)
    assert servo.value(table.PRESENT_POSITION) == 910
