import FakeProvider
import Foundation
import Protobuf
import Schema
import TestKit

/// A customer of the clinic, many windows open at once: holds seats, and lets them go, extends them,
/// forgets them, or makes bookings of them and goes on with those; or waits in lines.
struct RacePatient {
    let race: Race
    let number: Int
    let waits: Bool
    private var random: SplitMix

    /// What is asked for at the same time.
    static let windows = 16

    init(_ race: Race, _ number: Int, waits: Bool) {
        self.race = race
        self.number = number
        self.waits = waits
        random = SplitMix(seed: race.seed &+ UInt64(number) &* 104_729)
    }

    mutating func live() async {
        if waits { return await wait() }
        while !race.isOver {
            let seeds = (0..<Self.windows).map { _ in random.next() }
            await withTaskGroup(of: Void.self) { group in
                for seed in seeds {
                    group.addTask { [race, number] in
                        var window = RaceWindow(race, number, SplitMix(seed: seed))
                        await window.use()
                    }
                }
            }
        }
    }

    /// Who waits long in one window goes on in the others.
    private mutating func wait() async {
        let seeds = (0..<Self.windows).map { _ in random.next() }
        await withTaskGroup(of: Void.self) { group in
            for seed in seeds {
                group.addTask { [race, number] in
                    var random = SplitMix(seed: seed)
                    while !race.isOver {
                        var window = RaceLine(race, number, SplitMix(seed: random.next()))
                        await window.use()
                    }
                }
            }
        }
    }
}

/// One of his windows: one hold, and what becomes of it.
struct RaceWindow {
    let race: Race
    let number: Int
    var random: SplitMix
    private let email: String

    /// - Parameter email: of whom the bookings are; of somebody new when nil.
    init(_ race: Race, _ number: Int, _ random: SplitMix, email: String? = nil) {
        self.race = race
        self.number = number
        self.random = random
        self.email = email ?? "\(race.key())@example.com"
    }

    mutating func use() async {
        let kind = Int.random(in: 0..<100, using: &random)
        let course =
            kind < 70 ? race.world.hot : kind < 85 ? race.world.fast : race.world.wide
        let slot = course.slots[Int.random(in: 0..<course.slots.count, using: &random)]
        await use(slot, of: course, mayStay: kind >= 85)
    }

    mutating func use(_ slot: String, of course: Stage.Course, mayStay: Bool) async {
        guard let placed = await place(slot), let hold = placed.hold else { return }
        if random.chance(10) { await race.caller.again(by: number, &random) }
        await goOn(hold.id, placed.token, of: course, mayStay: mayStay)
    }

    /// What becomes of a hold.
    mutating func goOn(
        _ hold: String, _ token: String, of course: Stage.Course, mayStay: Bool
    ) async {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<42: await release(hold, token)
        case 42..<50: break
        case 50..<56:
            await extend(hold, token)
            await release(hold, token)
        case 56..<58: await release(hold, token + "x")
        default:
            guard let booked = await confirm(hold, token) else { return }
            var booking = RaceCase(race, number, random, course, booked)
            await booking.goOn(mayStay: mayStay)
        }
    }

    private mutating func place(_ slot: String) async -> BookingV1.PlaceHoldResponse? {
        var request = BookingV1.PlaceHoldRequest()
        request.slotId = slot
        request.quantity = random.chance(20) ? 2 : 1
        // Some have too many holds already.
        request.holder = random.chance(3) ? "greedy \(number % 4)" : race.key()
        request.idempotencyKey = race.key()
        var altered = request
        altered.quantity += 1
        var form: RaceCaller.JSONForm<BookingV1.PlaceHoldResponse>?
        if random.chance(6) {
            let body: JSONValue = [
                "slot_id": .string(slot), "quantity": .number(String(request.quantity)),
                "holder": .string(request.holder),
                "idempotency_key": .string(request.idempotencyKey),
            ]
            form = .init(path: "/api/bookings/holds", body: body.encoded()) { data in
                var response = BookingV1.PlaceHoldResponse()
                response.hold = .init()
                response.hold?.id = data["hold"]?["id"]?.string ?? ""
                response.token = data["token"]?.string ?? ""
                return response
            }
        }
        return await race.caller.send(
            "place", by: number, key: request.idempotencyKey, about: slot,
            BookingV1.HoldsMethods.placeHold, request, altered: altered, form: form
        ) { $0.hold?.id ?? "" }
    }

    private func release(_ hold: String, _ token: String) async {
        var request = BookingV1.ReleaseHoldRequest()
        (request.holdId, request.token, request.idempotencyKey) = (hold, token, race.key())
        let _: BookingV1.ReleaseHoldResponse? = await race.caller.send(
            "release", by: number, key: request.idempotencyKey ?? "", about: hold,
            BookingV1.HoldsMethods.releaseHold, request)
    }

    private func extend(_ hold: String, _ token: String) async {
        var request = BookingV1.ExtendHoldRequest()
        (request.holdId, request.token, request.idempotencyKey) = (hold, token, race.key())
        let _: BookingV1.ExtendHoldResponse? = await race.caller.send(
            "extend", by: number, key: request.idempotencyKey ?? "", about: hold,
            BookingV1.HoldsMethods.extendHold, request)
    }

    private func confirm(_ hold: String, _ token: String) async -> BookingV1.ConfirmHoldResponse? {
        var request = BookingV1.ConfirmHoldRequest()
        (request.holdId, request.token, request.idempotencyKey) = (hold, token, race.key())
        request.fullName = "Citra Lestari"
        request.email = email
        request.phone = "+6281234567890"
        request.subjectName = "Mochi"
        request.subjectKind = "cat"
        request.consent = true
        return await race.caller.send(
            "confirm_hold", by: number, key: request.idempotencyKey, about: hold,
            BookingV1.HoldsMethods.confirmHold, request
        ) { $0.booking?.id ?? "" }
    }
}
