// A client made of Debian's gRPC C++: calls what EndToEndTests/PeerTests.swift lists.
//
// Prints `ok STEP` for each step; ends with status 1 at the first thing that is wrong.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "janji/booking/v1/availability.grpc.pb.h"
#include "janji/booking/v1/booking.grpc.pb.h"
#include "janji/notification/v1/notification.grpc.pb.h"

using namespace janji::booking::v1;
namespace events = janji::notification::v1;

static std::string env(const char *name) {
    const char *value = std::getenv(name);
    return value ? value : "";
}

static void ok(const char *step) { std::cout << "ok " << step << std::endl; }

static void check(bool condition, const std::string &what) {
    if (condition) return;
    std::cerr << "wrong: " << what << std::endl;
    std::_Exit(1);
}

static void check(const grpc::Status &status, const std::string &what) {
    check(status.ok(), what + ": " + std::to_string(status.error_code()) + " "
                           + status.error_message());
}

// A context with a deadline, and with staff's token when asked.
static std::unique_ptr<grpc::ClientContext> context(int milliseconds = 60000, bool staff = false) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now()
                          + std::chrono::milliseconds(milliseconds));
    if (staff) context->AddMetadata("authorization", "Bearer " + env("TOKEN"));
    return context;
}

static std::string mark() {
    static std::random_device source;
    return std::to_string(source()) + std::to_string(source());
}

static RegisterCourseRequest registration() {
    RegisterCourseRequest request;
    request.set_full_name("Agus Salim");
    request.set_email("agus." + mark() + "@example.com");
    request.set_course_id(env("COURSE_ID"));
    request.set_address("Jl. Dahlia 7");
    request.set_birth_place("Medan");
    request.set_birth_date("2011-10-08");
    request.set_school("SMP 2");
    request.set_class_(8);
    request.set_guardian_name("Pak Salim");
    request.set_guardian_wa_number("+628123456789");
    request.set_consent(true);
    request.set_captcha_token("test");
    request.set_idempotency_key(mark());
    request.set_first_choice_slot_id(env("FIRST_SLOT"));
    request.set_second_choice_slot_id(env("SECOND_SLOT"));
    return request;
}

// The detail of this type in grpc-status-details-bin.
template <typename Detail>
static Detail detail(const grpc::Status &status) {
    google::rpc::Status rich;
    check(rich.ParseFromString(status.error_details()), "google.rpc.Status does not parse");
    Detail found;
    for (const auto &any : rich.details())
        if (any.UnpackTo(&found)) return found;
    check(false, "no detail " + Detail::descriptor()->full_name());
    return found;
}

int main() {
    auto booking_channel
        = grpc::CreateChannel(env("BOOKING"), grpc::InsecureChannelCredentials());
    auto notification_channel
        = grpc::CreateChannel(env("NOTIFICATION"), grpc::InsecureChannelCredentials());
    auto bookings = Bookings::NewStub(booking_channel);
    auto availability = Availability::NewStub(booking_channel);
    auto notification = events::Notification::NewStub(notification_channel);

    FindSlotsRequest find;
    find.set_course_id(env("COURSE_CODE"));
    FindSlotsResponse found;
    check(availability->FindSlots(context().get(), find, &found), "FindSlots");
    check(found.slots_size() == 2 && found.slots(0).id() == env("FIRST_SLOT"), "its slots");
    ok("find");

    events::SubscribeRequest topics;
    topics.add_topics("booking.created");
    auto subscription = context(120000);
    auto deliveries = notification->Subscribe(subscription.get(), topics);
    events::SubscribeResponse delivery;
    check(deliveries->Read(&delivery) && delivery.has_ready(), "the subscription is not ready");

    auto request = registration();
    RegisterCourseResponse registered;
    check(bookings->RegisterCourse(context().get(), request, &registered), "RegisterCourse");
    const auto id = registered.booking().id();
    check(registered.booking().status() == BOOKING_STATUS_PENDING, "its status");
    check(!registered.booking().has_confirmed_slot_id(), "a slot too early");
    ok("register");

    do check(deliveries->Read(&delivery), "the event does not come");
    while (delivery.delivery().event().payload().id() != id);
    subscription->TryCancel();
    deliveries->Finish();
    ok("subscribe");

    auto status = bookings->RegisterCourse(context().get(), request, &registered);
    check(status.error_code() == grpc::ALREADY_EXISTS, "the same key again");
    check(detail<google::rpc::ErrorInfo>(status).reason() == "DUPLICATE_REQUEST", "its reason");
    check(detail<OriginalBooking>(status).booking().id() == id, "its original");
    ok("duplicate");

    auto wrong = registration();
    wrong.set_email("nobody");
    wrong.set_birth_date("yesterday");
    status = bookings->RegisterCourse(context().get(), wrong, &registered);
    check(status.error_code() == grpc::INVALID_ARGUMENT, "two wrong fields");
    std::set<std::string> fields;
    const auto bad = detail<google::rpc::BadRequest>(status);
    for (const auto &violation : bad.field_violations())
        fields.insert(violation.field());
    check(fields == std::set<std::string>{"birth_date", "email"}, "the fields");
    ok("invalid");

    ListPendingRequest list;
    list.set_course_id(env("COURSE_ID"));
    ListPendingResponse pending;
    status = bookings->ListPending(context().get(), list, &pending);
    check(status.error_code() == grpc::UNAUTHENTICATED, "no token");
    ok("unauthenticated");
    check(bookings->ListPending(context(60000, true).get(), list, &pending), "ListPending");
    check(pending.bookings_size() == 1 && pending.bookings(0).booking().id() == id, "its list");
    ok("pending");

    WatchRequest filter;
    filter.set_course_id(env("COURSE_CODE"));
    auto watching = context(120000);
    auto changes = availability->Watch(watching.get(), filter);
    WatchResponse change;
    check(changes->Read(&change) && change.snapshot().slots_size() == 2, "no snapshot");

    ConfirmRequest confirm;
    confirm.set_booking_id(id);
    ConfirmResponse confirmed;
    check(bookings->Confirm(context(60000, true).get(), confirm, &confirmed), "Confirm");
    AssignSlotRequest assign;
    assign.set_booking_id(id);
    assign.set_schedule_id(env("FIRST_SLOT"));
    AssignSlotResponse assigned;
    check(bookings->AssignSlot(context(60000, true).get(), assign, &assigned), "AssignSlot");
    check(assigned.booking().assignment_basis() == ASSIGNMENT_BASIS_FIRST_CHOICE, "the basis");
    ok("assign");

    do check(changes->Read(&change) && change.has_changed(), "the change does not come");
    while (change.changed().id() != env("FIRST_SLOT") || change.changed().slots_remaining() != 0);
    ok("watch");
    watching->TryCancel();
    while (changes->Read(&change)) {}
    check(changes->Finish().error_code() == grpc::CANCELLED, "the cancelled stream");
    ok("cancel");

    auto brief = context(300);
    auto quiet = availability->Watch(brief.get(), filter);
    while (quiet->Read(&change)) {}
    check(quiet->Finish().error_code() == grpc::DEADLINE_EXCEEDED, "the deadline");
    ok("deadline");

    auto health = grpc::health::v1::Health::NewStub(booking_channel);
    grpc::health::v1::HealthCheckRequest asked;
    asked.set_service("janji.booking.v1.Bookings");
    grpc::health::v1::HealthCheckResponse answer;
    check(health->Check(context().get(), asked, &answer), "Check");
    check(answer.status() == grpc::health::v1::HealthCheckResponse::SERVING, "not serving");
    asked.set_service("no.such.Service");
    status = health->Check(context().get(), asked, &answer);
    check(status.error_code() == grpc::NOT_FOUND, "health of an unknown service");
    ok("health");

    auto reflection = grpc::reflection::v1::ServerReflection::NewStub(booking_channel);
    auto asking = context();
    auto stream = reflection->ServerReflectionInfo(asking.get());
    grpc::reflection::v1::ServerReflectionRequest question;
    question.set_list_services("");
    grpc::reflection::v1::ServerReflectionResponse reply;
    check(stream->Write(question) && stream->Read(&reply), "no list of services");
    std::set<std::string> names;
    for (const auto &service : reply.list_services_response().service())
        names.insert(service.name());
    check(names.count("janji.booking.v1.Bookings") == 1, "Bookings is not listed");
    question.set_file_containing_symbol("janji.booking.v1.Slot");
    check(stream->Write(question) && stream->Read(&reply), "no answer for Slot");
    check(reply.file_descriptor_response().file_descriptor_proto_size() > 0, "no file of Slot");
    stream->WritesDone();
    check(stream->Finish(), "reflection");
    ok("reflection");
    return 0;
}
