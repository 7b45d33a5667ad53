"""A client made of PyPI's grpcio: calls what EndToEndTests/PeerTests.swift lists.

Prints `ok STEP` for each step; ends with a traceback at the first thing that is wrong.
"""

import os
import sys
import uuid

sys.path.insert(0, os.getcwd())  # The generated modules.

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status
from google.protobuf.descriptor_pool import DescriptorPool

from janji.booking.v1 import availability_pb2, availability_pb2_grpc
from janji.booking.v1 import booking_pb2, booking_pb2_grpc
from janji.notification.v1 import notification_pb2, notification_pb2_grpc

env = os.environ
booking_channel = grpc.insecure_channel(env["BOOKING"])
notification_channel = grpc.insecure_channel(env["NOTIFICATION"])
bookings = booking_pb2_grpc.BookingsStub(booking_channel)
availability = availability_pb2_grpc.AvailabilityStub(booking_channel)
notification = notification_pb2_grpc.NotificationStub(notification_channel)
staff = [("authorization", "Bearer " + env["TOKEN"])]


def ok(step):
    print("ok", step, flush=True)


def details(error):
    """The decoded google.rpc details by their short names."""
    known = {
        "google.rpc.ErrorInfo": error_details_pb2.ErrorInfo,
        "google.rpc.BadRequest": error_details_pb2.BadRequest,
        "janji.booking.v1.OriginalBooking": booking_pb2.OriginalBooking,
    }
    found = {}
    for any_ in rpc_status.from_call(error).details:
        name = any_.type_url.rsplit("/", 1)[-1]
        if name in known:
            message = known[name]()
            assert any_.Unpack(message)
            found[name.rsplit(".", 1)[-1]] = message
    return found


def fails(code, call, *arguments, **keywords):
    try:
        call(*arguments, **keywords)
    except grpc.RpcError as error:
        assert error.code() == code, (error.code(), error.details())
        return error
    raise AssertionError(f"no {code}")


def registration():
    return booking_pb2.RegisterCourseRequest(
        full_name="Putri Ayu", email=f"putri.{uuid.uuid4().hex[:8]}@example.com",
        course_id=env["COURSE_ID"], address="Jl. Anggrek 3", birth_place="Malang",
        birth_date="2012-01-31", school="SMP 1", **{"class": 7}, guardian_name="Ibu Ayu",
        guardian_wa_number="+628123456789", consent=True, captcha_token="test",
        idempotency_key=str(uuid.uuid4()), preferred_days=["friday"],
        first_choice_slot_id=env["FIRST_SLOT"], second_choice_slot_id=env["SECOND_SLOT"])


slots = availability.FindSlots(
    availability_pb2.FindSlotsRequest(course_id=env["COURSE_CODE"]), timeout=60).slots
assert [slot.id for slot in slots] == [env["FIRST_SLOT"], env["SECOND_SLOT"]], slots
ok("find")

events = notification.Subscribe(
    notification_pb2.SubscribeRequest(topics=["booking.created"]), timeout=120)
assert next(events).WhichOneof("kind") == "ready"

request = registration()
booking = bookings.RegisterCourse(request, timeout=60).booking
assert booking.status == booking_pb2.BOOKING_STATUS_PENDING
assert not booking.HasField("confirmed_slot_id")
ok("register")

for response in events:
    if response.delivery.event.payload.id == booking.id:
        assert response.delivery.event.payload.data["courseId"] == env["COURSE_ID"]
        break
events.cancel()
ok("subscribe")

error = fails(grpc.StatusCode.ALREADY_EXISTS, bookings.RegisterCourse, request, timeout=60)
assert details(error)["ErrorInfo"].reason == "DUPLICATE_REQUEST"
assert details(error)["OriginalBooking"].booking.id == booking.id
ok("duplicate")

wrong = registration()
wrong.email = "nobody"
wrong.birth_date = "yesterday"
error = fails(grpc.StatusCode.INVALID_ARGUMENT, bookings.RegisterCourse, wrong, timeout=60)
fields = {violation.field for violation in details(error)["BadRequest"].field_violations}
assert fields == {"email", "birth_date"}, fields
ok("invalid")

pending = booking_pb2.ListPendingRequest(course_id=env["COURSE_ID"])
fails(grpc.StatusCode.UNAUTHENTICATED, bookings.ListPending, pending, timeout=60)
ok("unauthenticated")

listed = bookings.ListPending(pending, metadata=staff, timeout=60)
assert [entry.booking.id for entry in listed.bookings] == [booking.id]
assert listed.bookings[0].applicant.full_name == "Putri Ayu"
ok("pending")

watch = availability.Watch(
    availability_pb2.WatchRequest(course_id=env["COURSE_CODE"]), timeout=120)
first = next(watch)
assert first.WhichOneof("event") == "snapshot" and len(first.snapshot.slots) == 2

bookings.Confirm(
    booking_pb2.ConfirmRequest(booking_id=booking.id), metadata=staff, timeout=60)
assigned = bookings.AssignSlot(
    booking_pb2.AssignSlotRequest(booking_id=booking.id, schedule_id=env["FIRST_SLOT"]),
    metadata=staff, timeout=60)
assert assigned.booking.assignment_basis == booking_pb2.ASSIGNMENT_BASIS_FIRST_CHOICE
ok("assign")

for response in watch:
    assert response.WhichOneof("event") == "changed"
    if response.changed.id == env["FIRST_SLOT"] and response.changed.slots_remaining == 0:
        break
ok("watch")
watch.cancel()
assert watch.code() == grpc.StatusCode.CANCELLED
ok("cancel")

quiet = availability.Watch(
    availability_pb2.WatchRequest(course_id=env["COURSE_CODE"]), timeout=0.3)
error = fails(grpc.StatusCode.DEADLINE_EXCEEDED, list, quiet)
ok("deadline")

health = health_pb2_grpc.HealthStub(booking_channel)
answer = health.Check(
    health_pb2.HealthCheckRequest(service="janji.booking.v1.Bookings"), timeout=60)
assert answer.status == health_pb2.HealthCheckResponse.SERVING
updates = health.Watch(health_pb2.HealthCheckRequest(), timeout=60)
assert next(updates).status == health_pb2.HealthCheckResponse.SERVING
updates.cancel()
ok("health")

database = ProtoReflectionDescriptorDatabase(booking_channel)
assert "janji.booking.v1.Bookings" in database.get_services()
descriptor = DescriptorPool(database).FindMessageTypeByName("janji.booking.v1.Slot")
assert "slots_remaining" in descriptor.fields_by_name
ok("reflection")
# The reflection stream has a thread that keeps the interpreter from ending.
sys.stdout.flush()
os._exit(0)
