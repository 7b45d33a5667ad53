import Domain
import Environment
import Postgres
import Protobuf
import RPC
import Schema
import Synchronization
import TestKit
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Mutations under keys", .serialized, .timeLimit(.minutes(4)))
    struct MutationTests {
        private typealias Catalogue = BookingV1.CatalogueMethods

        private static func check(_ calls: [KeyedCall], _ fixture: Fixture) async throws {
            for call in calls {
                let problems = try await call.problems(
                    schema: "booking", in: "booking_\(fixture.name)")
                for problem in problems { Issue.record("\(problem)") }
            }
        }

        @Test("X-09: each is done once, and answered the same to twins and whoever comes again")
        func all() async throws {
            let stage = try await PaymentStage("mutations")
            let line = try await Line("mutations_line", payment: "at_desk")
            let calls =
                try await Self.places(stage.fixture) + Self.rules(stage.fixture)
                + Self.resources(stage.fixture) + Self.slots(stage.fixture)
                + Self.inventory(stage.fixture) + [Self.upload(stage)]
                + KeyedCall.requests(stage.fixture) + KeyedCall.payments(stage)
            let others =
                try await KeyedCall.holds(line.clinic)
                + KeyedCall.visits(line.clinic) + KeyedCall.manageLinks(line.clinic)
                + KeyedCall.waitlists(line)
            #expect(Set((calls + others).map(\.name)) == Mutations.ofBooking)
            try await Self.check(calls, stage.fixture)
            try await Self.check(others, line.clinic.fixture)
            try await stage.fixture.check(KernelInvariants.keys)
            try await line.clinic.fixture.check(KernelInvariants.keys)
            await stage.close()
        }

        private static func places(_ fixture: Fixture) async throws -> [KeyedCall] {
            var save = BookingV1.SaveLocationRequest()
            (save.id, save.code) = (UUID.random().description, "BDG")
            (save.name, save.timeZone) = ("Bandung", "Asia/Jakarta")
            var gone = save
            (gone.id, gone.code) = (UUID.random().description, "GONE")
            _ = try await fixture.catalogue.saveLocation(
                gone, Fixture.admin(Catalogue.saveLocation))
            var delete = BookingV1.DeleteLocationRequest()
            delete.locationId = gone.id
            return [
                KeyedCall(
                    Catalogue.saveLocation, Fixture.admin, save, key: \.idempotencyKey,
                    other: { $0.name = "Other" }, fixture.catalogue.saveLocation),
                KeyedCall(
                    Catalogue.deleteLocation,
                    once: [("select count(*) from location where code = 'GONE'", "0")],
                    Fixture.admin, delete, key: \.idempotencyKey,
                    other: { $0.locationId = UUID.random().description },
                    fixture.catalogue.deleteLocation),
            ]
        }

        private static func rules(_ fixture: Fixture) async throws -> [KeyedCall] {
            _ = try await fixture.policy { $0.code = "gone" }
            var policy = BookingV1.SavePolicyRequest()
            policy.policy = BookingV1.Policy()
            policy.policy?.code = "yoga"
            policy.policy?.entry = .hold
            policy.policy?.payment = .atDesk
            var delete = BookingV1.DeletePolicyRequest()
            delete.code = "gone"
            var cancellation = BookingV1.SaveCancellationPolicyRequest()
            cancellation.policy = BookingV1.CancellationPolicy()
            cancellation.policy?.code = "half"
            cancellation.policy?.name = "Half"
            cancellation.policy?.tiers = [BookingV1.CancellationTier()]
            return [
                KeyedCall(
                    Catalogue.savePolicy, Fixture.admin, policy, key: \.idempotencyKey,
                    other: { $0.policy?.holdLimit = 9 }, fixture.catalogue.savePolicy),
                KeyedCall(
                    Catalogue.deletePolicy,
                    once: [("select count(*) from policy where code = 'gone'", "0")],
                    Fixture.admin, delete, key: \.idempotencyKey, other: { $0.code = "none" },
                    fixture.catalogue.deletePolicy),
                KeyedCall(
                    Catalogue.saveCancellationPolicy, Fixture.admin, cancellation,
                    key: \.idempotencyKey, other: { $0.policy?.name = "Other" },
                    fixture.catalogue.saveCancellationPolicy),
            ]
        }

        private static func resources(_ fixture: Fixture) async throws -> [KeyedCall] {
            let (gone, blocked) = (UUID.random(), UUID.random())
            try await fixture.save(gone, "room", "Gone")
            try await fixture.save(blocked, "room", "Blocked")
            var save = BookingV1.SaveResourceRequest()
            save.resource = BookingV1.Resource()
            save.resource?.id = UUID.random().description
            save.resource?.name = "Room"
            save.resource?.kind = "room"
            var delete = BookingV1.DeleteResourceRequest()
            delete.resourceId = gone.description
            // Without an id: each new try would be another block.
            var block = BookingV1.BlockResourceRequest()
            block.resourceId = blocked.description
            block.startTime = .init(SlotPlan.origin)
            block.endTime = .init(SlotPlan.origin + .seconds(3600))
            block.reason = "repair"
            let old = try await fixture.blocking(
                blocked, SlotPlan.origin + .seconds(7200), SlotPlan.origin + .seconds(9000))
            var unblock = BookingV1.UnblockResourceRequest()
            unblock.blockId = old.id
            return [
                KeyedCall(
                    Catalogue.saveResource, Fixture.admin, save, key: \.idempotencyKey,
                    other: { $0.resource?.name = "Other" }, fixture.catalogue.saveResource),
                KeyedCall(
                    Catalogue.deleteResource,
                    once: [("select count(*) from resource where name = 'Gone'", "0")],
                    Fixture.admin, delete, key: \.idempotencyKey,
                    other: { $0.resourceId = UUID.random().description },
                    fixture.catalogue.deleteResource),
                KeyedCall(
                    Catalogue.blockResource,
                    once: [("select count(*) from block where resource_id = '\(blocked)'", "2")],
                    Fixture.admin, block, key: \.idempotencyKey,
                    other: { $0.reason = "holiday" }, fixture.catalogue.blockResource),
                KeyedCall(
                    Catalogue.unblockResource,
                    once: [("select count(*) from block where removed_at is not null", "1")],
                    Fixture.admin, unblock, key: \.idempotencyKey,
                    other: { $0.blockId = UUID.random().description },
                    fixture.catalogue.unblockResource),
            ]
        }

        private static func slots(_ fixture: Fixture) async throws -> [KeyedCall] {
            let (changed, gone) = (
                SlotPlan(.random(), .random(), capacity: 3),
                SlotPlan(.random(), .random(), capacity: 3)
            )
            try await fixture.publish([changed, gone])
            let booking = try await fixture.confirmed(gone)
            try await fixture.assign(booking, gone)
            var update = BookingV1.UpdateSlotRequest()
            (update.slotId, update.capacity) = (changed.id.description, 7)
            // Were it done again, its version would not be the one any more.
            update.ifVersion = Int64(
                try await fixture.number("select version from slot where id = \(changed.id)"))
            var withdraw = BookingV1.WithdrawSlotRequest()
            (withdraw.slotId, withdraw.force) = (gone.id.description, true)
            return [
                KeyedCall(
                    Catalogue.updateSlot,
                    once: [
                        (
                            "select count(*) from outbox where topic = 'schedule.updated'"
                                + " and body ~ '\(changed.id)'", "1"
                        )
                    ], Fixture.admin, update, key: \.idempotencyKey,
                    other: { $0.capacity = 8 }, fixture.catalogue.updateSlot),
                KeyedCall(
                    Catalogue.withdrawSlot,
                    once: [
                        ("select count(*) from slot where withdrawn_at is not null", "1")
                    ], Fixture.admin, withdraw, key: \.idempotencyKey,
                    other: { $0.force = false }, fixture.catalogue.withdrawSlot),
            ]
        }

        private static func inventory(_ fixture: Fixture) async throws -> [KeyedCall] {
            var offering = BookingV1.PublishOfferingRequest()
            offering.offering = BookingV1.Offering()
            offering.offering?.id = UUID.random().description
            offering.offering?.code = "VIOLIN-1"
            offering.offering?.title = "Violin"
            offering.offering?.claimAt = .assign
            offering.offering?.timeZone = "Asia/Jakarta"
            let (teacher, room) = (UUID.random(), UUID.random())
            try await fixture.save(teacher, "instructor", "Instructor")
            try await fixture.save(room, "room", "Room")
            let busy = SlotPlan(teacher, room, day: 4)
            try await fixture.publish([busy], of: fixture.choir)
            var slots = BookingV1.PublishSlotsRequest()
            slots.courseId = fixture.choir.description
            slots.skipConflicts = true
            slots.slots = [4, 5, 6].map { SlotPlan(teacher, room, day: $0).message }
            return [
                KeyedCall(
                    BookingV1.InventoryMethods.publishOffering, Fixture.service, offering,
                    key: \.idempotencyKey, other: { $0.offering?.title = "Other" },
                    fixture.inventory.publishOffering),
                KeyedCall(
                    BookingV1.InventoryMethods.publishSlots,
                    once: [
                        (
                            "select count(*) from slot_resource where resource_id = '\(room)'", "3"
                        )
                    ], Fixture.service, slots, key: \.idempotencyKey,
                    other: { $0.skipConflicts = false }, fixture.inventory.publishSlots),
            ]
        }

        private static func upload(_ stage: PaymentStage) -> KeyedCall {
            var upload = PaymentV1.UploadProofRequest()
            upload.file = GoogleApi.HttpBody()
            upload.file?.data = Array("%PDF-1.7".utf8)
            return KeyedCall(
                PaymentV1.PaymentsMethods.uploadProof,
                once: [
                    (
                        "select count(*) from payment_proof where content = '%PDF-1.7'", "1"
                    )
                ],
                { ServerContext(method: $0) }, upload, key: \.idempotencyKey,
                other: { $0.file?.data = Array("%PDF-1.8".utf8) }, stage.service.uploadProof)
        }

        @Test("UploadProof: a retry is answered although its captcha's token is used up")
        func usedToken() async throws {
            let tokens = OneTimeCaptcha()
            let stage = try await PaymentStage("mutations_captcha", captcha: tokens)
            var upload = PaymentV1.UploadProofRequest()
            upload.file = GoogleApi.HttpBody()
            upload.file?.data = Array("%PDF-1.7".utf8)
            (upload.captchaToken, upload.idempotencyKey) = ("once", "k")
            let context = ServerContext(method: PaymentV1.PaymentsMethods.uploadProof)
            let first = try await stage.service.uploadProof(upload, context)
            #expect(try await stage.service.uploadProof(upload, context) == first)
            upload.captchaToken = "fresh"
            #expect(try await stage.service.uploadProof(upload, context) == first)
            (upload.captchaToken, upload.idempotencyKey) = ("once", "other")
            let error = await refusal {
                _ = try await stage.service.uploadProof(upload, context)
            }
            #expect(error.code == .captchaFailed)
            await stage.close()
        }

        @Test("a rehearsal uses no key up, and what is no key is refused by name")
        func noKey() async throws {
            let fixture = try await Fixture("mutations_no_key")
            var slots = BookingV1.PublishSlotsRequest()
            slots.courseId = fixture.choir.description
            slots.slots = [SlotPlan(.random(), .random()).message]
            (slots.dryRun, slots.idempotencyKey) = (true, "k")
            let context = Fixture.service(BookingV1.InventoryMethods.publishSlots)
            #expect(try await fixture.inventory.publishSlots(slots, context).created == 1)
            slots.dryRun = false
            #expect(try await fixture.inventory.publishSlots(slots, context).created == 1)
            var delete = BookingV1.DeletePolicyRequest()
            (delete.code, delete.idempotencyKey) = ("none", " ")
            let error = await refusal {
                _ = try await fixture.catalogue.deletePolicy(
                    delete, Fixture.admin(Catalogue.deletePolicy))
            }
            #expect(error.violations.map(\.field) == ["idempotency_key"])
        }
    }
}

/// Takes each token once.
private final class OneTimeCaptcha: CaptchaVerifier {
    private let seen = Mutex<Set<String>>([])

    func verify(_ token: String) async throws {
        guard seen.withLock({ $0.insert(token).inserted }) else {
            throw DomainError(.captchaFailed, "used already")
        }
    }
}
