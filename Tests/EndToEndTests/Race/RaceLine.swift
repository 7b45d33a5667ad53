import Foundation
import Protobuf
import Schema
import TestKit
import Testing

/// One place in the line of a slot: joins it, looks how far it is, and claims what is offered,
/// declines it, both at once, or comes too late.
struct RaceLine {
    /// An entry, and what opens it.
    private struct Entry {
        let id: String
        let token: String
    }

    let race: Race
    let number: Int
    private var random: SplitMix
    private let email: String
    private let course: Stage.Course
    private let slot: String
    private var entry = Entry(id: "", token: "")
    private var sights: [Checker.Standing] = []

    init(_ race: Race, _ number: Int, _ random: SplitMix) {
        self.race = race
        self.number = number
        self.random = random
        // Some are in too many lines already.
        email =
            self.random.chance(6)
            ? "greedy\(number % 4)@example.com" : "\(race.key())@example.com"
        course = self.random.chance(60) ? race.world.lined : race.world.fast
        let lined = course.slots.prefix(6)
        slot = lined.randomElement(using: &self.random) ?? ""
    }

    mutating func use() async {
        guard let joined = await joinOnce() else {
            // Seats are free, or seem to be: who does not have to wait takes one.
            if random.chance(60) {
                var window = RaceWindow(race, number, random)
                await window.use(slot, of: course, mayStay: false)
            }
            return
        }
        entry = joined
        if random.chance(5) { await race.caller.again(by: number, &random) }
        await stand()
        for wrong in Checker.standing(sights) { Issue.record("entry \(entry.id): \(wrong)") }
    }

    // MARK: In line

    /// Some come twice at the same time, to two processes: they get one place.
    private mutating func joinOnce() async -> Entry? {
        // A slot of one seat never has two.
        let quantity: Int32 = random.chance(course.id == race.world.lined.id ? 25 : 3) ? 2 : 1
        let overEdge = random.chance(10)
        guard random.chance(20) else { return await join(quantity, overEdge: overEdge) }
        let twin = self
        async let other = twin.join(quantity, overEdge: false)
        let (one, two) = (await join(quantity, overEdge: overEdge), await other)
        return one ?? two
    }

    /// Looks until something is offered, or the race is over.
    private mutating func stand() async {
        let patience = Int.random(in: 0..<100, using: &random)
        while let sight = await look(), let now = sight.entry {
            switch now.status {
            case .waiting where race.isOver:
                if random.chance(70) { _ = await leave() }
                return
            case .waiting where patience < 8 && sights.count > 2:
                _ = await leave()
                return
            case .waiting:
                // Nothing is offered; and another's token is no token.
                if patience > 96 { await claim(forging: sights.count % 2 == 0) }
                try? await Task.sleep(
                    for: race.caller.pace.pause(
                        .milliseconds(Int.random(in: 400..<1200, using: &random))))
            case .offered:
                await decide(until: Self.seconds(now))
                return
            default: return
            }
        }
    }

    private static func seconds(_ entry: BookingV1.WaitlistEntry) -> Double {
        Double(entry.offerExpiresAt?.seconds ?? 0)
            + Double(entry.offerExpiresAt?.nanos ?? 0) / 1_000_000_000
    }

    private mutating func decide(until end: Double) async {
        if random.chance(10) { await claim(forging: true) }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<12: _ = await leave()
        case 12..<22:
            // One of them, or what was left is lost to the claim.
            let leaving = self
            async let left = leaving.leave()
            let claimed = await claim()
            let hasLeft = await left
            if claimed != nil, hasLeft { Issue.record("left and claimed: \(entry.id)") }
            await use(claimed)
        case 22..<37:
            let twin = self
            async let other = twin.claim()
            let (one, two) = (await claim(), await other)
            if let one, let two, one.hold?.id != two.hold?.id || one.holdToken != two.holdToken {
                Issue.record("two holds of one offer: \(entry.id)")
            }
            await use(one ?? two)
        case 37..<50:
            // At the moment when the offer is over.
            let early = Double(Int.random(in: -20..<60, using: &random)) / 1000
            await sleep(until: end - early)
            await use(await claim())
        case 50..<58:
            await sleep(until: end + 0.05)
            if await claim() != nil { Issue.record("claimed after its time: \(entry.id)") }
            _ = await look()
        case 58..<64: break
        default: await use(await claim())
        }
    }

    private func sleep(until end: Double) async {
        let left = end - Date().timeIntervalSince1970
        if (0...10).contains(left) { try? await Task.sleep(for: .seconds(left)) }
    }

    /// A claimed offer is a hold like any other.
    private mutating func use(_ claimed: BookingV1.ClaimOfferResponse?) async {
        guard let claimed, let hold = claimed.hold else { return }
        if random.chance(20) {
            if let sight = await look(),
                sight.entry?.status != .claimed
                    || sight.hold.map({ $0.id != hold.id }) ?? false
                    || sight.holdToken.map({ $0 != claimed.holdToken }) ?? false
            {
                Issue.record("claimed, but told otherwise: \(entry.id)")
            }
        }
        var window = RaceWindow(race, number, random, email: email)
        await window.goOn(hold.id, claimed.holdToken, of: course, mayStay: false)
    }

    // MARK: Requests

    private func join(_ quantity: Int32, overEdge: Bool) async -> Entry? {
        var request = BookingV1.JoinWaitlistRequest()
        (request.slotId, request.quantity, request.consent) = (slot, quantity, true)
        (request.fullName, request.email) = ("Ayu Lestari", email)
        request.idempotencyKey = race.key()
        var altered = request
        altered.quantity += 1
        let body: JSONValue = [
            "slot_id": .string(slot), "quantity": .number(String(quantity)),
            "full_name": "Ayu Lestari", "email": .string(email), "consent": true,
            "idempotency_key": .string(request.idempotencyKey),
        ]
        let form = RaceCaller.JSONForm<BookingV1.JoinWaitlistResponse>(
            path: "/api/bookings/waitlist", body: body.encoded()
        ) { data in
            var response = BookingV1.JoinWaitlistResponse()
            response.entry = .init()
            response.entry?.id = data["entry"]?["id"]?.string ?? ""
            response.token = data["token"]?.string ?? ""
            return response
        }
        let answer = await race.caller.send(
            "join", by: number, key: request.idempotencyKey, about: "\(slot) \(quantity) \(email)",
            BookingV1.WaitlistsMethods.joinWaitlist, request, altered: altered,
            form: overEdge ? form : nil
        ) { $0.entry?.id ?? "" }
        return answer.flatMap { answer in
            answer.entry.map { Entry(id: $0.id, token: answer.token) }
        }
    }

    private mutating func look() async -> BookingV1.GetWaitlistEntryResponse? {
        var request = BookingV1.GetWaitlistEntryRequest()
        request.token = entry.token
        let sight: BookingV1.GetWaitlistEntryResponse? = await race.caller.read(
            BookingV1.WaitlistsMethods.getWaitlistEntry, request, mustExist: true)
        if let now = sight?.entry {
            sights.append(
                .init(
                    version: now.version,
                    place: now.status == .waiting ? Int(now.place) : nil))
        }
        return sight
    }

    private func claim() async -> BookingV1.ClaimOfferResponse? {
        await claim(entry.token, "claim")
    }

    /// By who has been offered nothing, or with a token that is nobody's: refused.
    private func claim(forging: Bool) async {
        let last = entry.token.hasSuffix("A") ? "B" : "A"
        let token = forging ? entry.token.dropLast() + last : entry.token[...]
        // The offer may have come since the last look.
        let answer = await claim(String(token), forging ? "claim_forged" : "claim")
        if forging, answer != nil { Issue.record("claimed by nobody: \(entry.id)") }
    }

    private func claim(_ token: String, _ name: String) async -> BookingV1.ClaimOfferResponse? {
        var request = BookingV1.ClaimOfferRequest()
        (request.token, request.idempotencyKey) = (token, race.key())
        return await race.caller.send(
            name, by: number, key: request.idempotencyKey ?? "", about: entry.id,
            BookingV1.WaitlistsMethods.claimOffer, request
        ) { $0.hold?.id ?? "" }
    }

    private func leave() async -> Bool {
        var request = BookingV1.LeaveWaitlistRequest()
        (request.token, request.idempotencyKey) = (entry.token, race.key())
        let answer: BookingV1.LeaveWaitlistResponse? = await race.caller.send(
            "leave", by: number, key: request.idempotencyKey ?? "", about: entry.id,
            BookingV1.WaitlistsMethods.leaveWaitlist, request)
        return answer?.entry?.status == .left
    }
}
