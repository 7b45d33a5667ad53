import Foundation
import Protobuf
import RPC
import Schema
import TestKit

/// Somebody who registers, an admin who confirms and tries for a seat, and gives it back; again and
/// again.
struct RaceSchool {
    let race: Race
    let number: Int
    private var random: SplitMix

    init(_ race: Race, _ number: Int) {
        self.race = race
        self.number = number
        random = SplitMix(seed: race.seed &+ UInt64(number) &* 7919)
    }

    mutating func live() async {
        while !race.isOver {
            guard let id = await register(), await confirm(id) else { continue }
            var hasSeat = false
            for _ in 0..<12 where !hasSeat && !race.isOver {
                // Half of them want the same four.
                let wanted = Int(random.next() % (random.chance(50) ? 4 : 24))
                hasSeat = await assign(id, race.world.school.slots[wanted])
                if random.chance(12) { await race.caller.again(by: number, &random) }
            }
            if hasSeat, random.chance(10) { continue }
            await cancel(id)
        }
    }

    private mutating func register() async -> String? {
        var request = Calls.registration(race.world.school)
        request.idempotencyKey = race.key()
        var form: RaceCaller.JSONForm<BookingV1.RegisterCourseResponse>?
        if random.chance(25) {
            let body = Stage.registration(
                race.world.school, first: race.world.school.slots[0],
                key: request.idempotencyKey)
            form = .init(path: Stage.registerPath, body: body.encoded()) { data in
                var response = BookingV1.RegisterCourseResponse()
                response.booking = .init()
                response.booking?.id = data["booking"]?["id"]?.string ?? ""
                return response
            }
        }
        let answer = await race.caller.send(
            "register", by: number, key: request.idempotencyKey,
            BookingV1.BookingsMethods.registerCourse, request, form: form,
            naming: { $0.booking?.id ?? "" }, original: Self.original)
        return answer?.booking?.id
    }

    /// The first try has done it: the booking is in the details.
    private static func original(_ error: RPCError) -> BookingV1.RegisterCourseResponse? {
        guard Calls.reason(error) == "DUPLICATE_REQUEST" else { return nil }
        var response = BookingV1.RegisterCourseResponse()
        response.booking =
            Calls.detail(
                error, "janji.booking.v1.OriginalBooking", BookingV1.OriginalBooking.self)?.booking
        return response
    }

    private func confirm(_ id: String) async -> Bool {
        var request = BookingV1.ConfirmRequest()
        (request.bookingId, request.idempotencyKey) = (id, race.key())
        let answer: BookingV1.ConfirmResponse? = await race.caller.send(
            "confirm", by: number, key: request.idempotencyKey ?? "", about: id,
            BookingV1.BookingsMethods.confirm, request, asStaff: true)
        return answer != nil
    }

    private func assign(_ id: String, _ slot: String) async -> Bool {
        var request = BookingV1.AssignSlotRequest()
        (request.bookingId, request.scheduleId, request.reason) = (id, slot, "race")
        request.idempotencyKey = race.key()
        var altered = request
        altered.reason = "another"
        let answer: BookingV1.AssignSlotResponse? = await race.caller.send(
            "assign", by: number, key: request.idempotencyKey ?? "", about: "\(id) \(slot)",
            BookingV1.BookingsMethods.assignSlot, request, asStaff: true, altered: altered)
        return answer != nil
    }

    private func cancel(_ id: String) async {
        var request = BookingV1.CancelRequest()
        (request.bookingId, request.reason, request.idempotencyKey) = (id, "race", race.key())
        let _: BookingV1.CancelResponse? = await race.caller.send(
            "cancel", by: number, key: request.idempotencyKey ?? "", about: id,
            BookingV1.BookingsMethods.cancel, request, asStaff: true)
    }
}
