import Crypto
import Domain
import Environment
import Schema
import TestKit

@testable import Booking

/// One story of the simulation.
struct SimulatedStory {
    /// What the provider knows of a charge.
    private struct Charge {
        let id: UUID
        let amount: Int64
        var status = Payment.Status.pending
        var back: Int64 = 0
    }

    /// What some stories must have.
    static let awaited = [
        "lost before", "lost after", "retry", "placed", "booked", "paid", "paid late",
        "late and given back", "cancelled", "rescheduled", "expired", "completed", "refused",
    ]

    private static let tokens = BookingTokens(secret: [UInt8](repeating: 1, count: 32))

    private(set) var step = 0
    private(set) var log: [String] = []
    private(set) var seen: [String: Int] = [:]
    private var random: SplitMix
    private var kernel: SimulatedKernel
    private var charges: [Charge] = []
    private var reports: [PaymentReport] = []
    /// What customers have been told that they have.
    private var told: (holds: [UUID], bookings: [UUID]) = ([], [])
    private var keys = 0

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
        kernel = SimulatedKernel(at: Instant(secondsSinceEpoch: 1_800_000_000))
    }

    mutating func run(steps: Int) throws {
        while step < steps {
            step += 1
            try take(Int.random(in: 0..<100, using: &random))
            if let fault = kernel.fault { throw SimulatedKernel.Failure(what: fault) }
        }
        try end()
    }

    private mutating func note(_ what: String) {
        seen[what, default: 0] += 1
        log.append("\(step) \(what) \(kernel.slots.map(\.taken))")
    }

    // MARK: Steps

    private mutating func take(_ choice: Int) throws {
        switch choice {
        case 0..<25: try place()
        case 25..<30: if let hold = told.holds.randomElement(using: &random) { try release(hold) }
        case 30..<45: if let hold = told.holds.randomElement(using: &random) { try confirm(hold) }
        case 45..<55: try openCharge()
        case 55..<63: decide()
        case 63..<75: if let report = reports.randomElement(using: &random) { try hear(report) }
        case 75..<80: try move(.cancel, "cancelled")
        case 80..<84: try reschedule()
        case 84..<87: try checkIn()
        case 87..<91: try refund()
        default: pass()
        }
    }

    private mutating func pass() {
        let seconds = [0, 1, 60, 300, 599, 601, 1800, 3600].randomElement(using: &random) ?? 1
        kernel.now = kernel.now + .seconds(seconds)
    }

    /// A transaction that may be lost, before or after its end; then it is sent again.
    /// - Returns: nil when it was refused.
    private mutating func transact<T>(
        _ body: (inout SimulatedKernel) throws -> T
    ) throws -> T? {
        for attempt in 0..<4 {
            var copy = kernel
            let result: Result<T, any Error>
            do {
                result = .success(try body(&copy))
            } catch let failure as SimulatedKernel.Failure {
                throw failure
            } catch {
                if !(error is SimulatedKernel.Committed) { copy = kernel }
                result = .failure(error)
            }
            if random.chance(8) {
                note("lost before")
                continue
            }
            kernel = copy
            if case .success = result, random.chance(8) {
                note("lost after")
                continue
            }
            if attempt > 0 { note("retry") }
            if case .failure = result { note("refused") }
            return try? result.get()
        }
        return nil
    }

    private mutating func key() -> String {
        keys += 1
        return "key \(keys)"
    }

    /// As the table of keys: what was done is not done again.
    private mutating func once(
        _ body: (inout SimulatedKernel) throws -> UUID
    ) throws -> UUID? {
        let key = key()
        return try transact { kernel in
            if let known = kernel.done[key] { return known }
            let id = try body(&kernel)
            kernel.done[key] = id
            return id
        }
    }

    private mutating func place() throws {
        guard let slot = kernel.slots.randomElement(using: &random)?.id else { return }
        let (key, quantity) = (key(), Int.random(in: 1...2, using: &random))
        let holder = Array("holder \(keys)".utf8)
        let placed = try transact { kernel in
            // A retry is another request, with another name for the hold.
            let id = UUID.random()
            return try kernel.place(
                HoldOrder(
                    id: id, slot: slot, quantity: quantity, holderKey: holder,
                    tokens: Self.tokens,
                    use: .init(
                        scope: "place", key: key, requestHash: SHA256.hash(holder), at: kernel.now))
            )
        }
        guard let placed else { return }
        guard kernel.holds.contains(where: { $0.id == placed }) else {
            throw SimulatedKernel.Failure(what: "acknowledged and lost")
        }
        told.holds.append(placed)
        note("placed")
    }

    private mutating func release(_ hold: UUID) throws {
        _ = try once { kernel in
            try kernel.release(hold)
            return hold
        }
    }

    private mutating func confirm(_ hold: UUID) throws {
        var request = BookingV1.ConfirmHoldRequest()
        (request.holdId, request.token) = (hold.description, Self.tokens.hold(hold))
        (request.fullName, request.email) = ("Citra", "citra@example.com")
        (request.phone, request.consent, request.idempotencyKey) = ("+6281234567890", true, "k")
        let form = request
        let booked = try once { kernel in
            try kernel.confirm(try HoldConfirmation.Order(form, use: nil, at: kernel.now))
        }
        guard let booked else { return }
        told.bookings.append(booked)
        note("booked")
    }

    private mutating func openCharge() throws {
        guard let booking = told.bookings.randomElement(using: &random),
            let id = try once({ try $0.openCharge(booking) }),
            !charges.contains(where: { $0.id == id })
        else { return }
        let amount = kernel.cases.flatMap(\.account.payments).first { $0.id == id }?.amount ?? 0
        charges.append(Charge(id: id, amount: amount))
    }

    /// The customer pays, or the provider refuses him; its reports are on their way, twice.
    private mutating func decide() {
        guard let index = charges.indices.randomElement(using: &random),
            charges[index].status != .completed
        else { return }
        charges[index].status = random.chance(75) ? .completed : .failed
        let report = PaymentReport(
            payment: charges[index].id, status: charges[index].status,
            amount: charges[index].amount, currency: "IDR")
        reports += [report, report]
    }

    /// Any report so far, also one that was overtaken.
    private mutating func hear(_ report: PaymentReport) throws {
        let before = subject(of: report.payment)
        _ = try once { kernel in
            try kernel.take(report)
            return report.payment
        }
        let after = subject(of: report.payment)
        guard report.status == .completed, before != after else { return }
        note(after?.booking.status == .confirmed ? "paid" : "paid late")
    }

    private func subject(of charge: UUID) -> PaymentCase? {
        kernel.cases.first { $0.account.payments.contains { $0.id == charge } }
    }

    private mutating func move(
        _ command: BookingCommand, _ what: String, to slot: UUID? = nil
    ) throws {
        guard let booking = kernel.cases.randomElement(using: &random)?.booking.id else { return }
        let moved = try once { kernel in
            try kernel.move(booking, command, to: slot)
            return booking
        }
        if moved != nil { note(what) }
    }

    private mutating func reschedule() throws {
        let slot = kernel.slots.randomElement(using: &random)?.id
        let before = kernel.cases.count
        try move(.reschedule(to: .random()), "rescheduled", to: slot)
        if kernel.cases.count > before, let next = kernel.cases.last?.booking.id {
            told.bookings.append(next)
        }
    }

    private mutating func checkIn() throws {
        let start = kernel.now
        try move(
            .checkIn(
                startsAt: start, endsAt: start + .seconds(3600), lead: .zero,
                until: start + .seconds(3600)), "checked in")
        try move(.complete, "completed")
    }

    private mutating func refund() throws {
        guard let booking = kernel.cases.randomElement(using: &random)?.booking.id else { return }
        var made: (charge: UUID, amount: Int64)?
        _ = try once { kernel in
            made = try kernel.refund(booking) ?? made
            return booking
        }
        // Asked twice under one name the provider does it once.
        guard let made, let index = charges.firstIndex(where: { $0.id == made.charge }) else {
            return
        }
        charges[index].back = sent(made.charge)
        guard charges[index].back <= charges[index].amount else {
            throw SimulatedKernel.Failure(what: "more went back than came")
        }
    }

    private func sent(_ charge: UUID) -> Int64 {
        subject(of: charge)?.account.refunds.reduce(0) {
            $1.paymentID == charge && $1.status == .completed ? $0 + $1.amount : $0
        } ?? 0
    }

    // MARK: The end

    /// Everything is told, everything lapses, everything due goes back.
    private mutating func end() throws {
        for report in reports { try kernel.take(report) }
        kernel.now = kernel.now + .seconds(7200)
        for booking in kernel.cases.map(\.booking) where booking.status == .pendingPayment {
            try? kernel.move(booking.id, .expire)
        }
        for booking in kernel.cases.map(\.booking) {
            while try kernel.refund(booking.id) != nil {}
        }
        if let fault = kernel.fault { throw SimulatedKernel.Failure(what: "at the end: \(fault)") }
        for one in kernel.cases {
            let (booking, account) = (one.booking, one.account)
            if booking.status == .expired { note("expired") }
            if booking.status == .expired, account.refunded > 0 { note("late and given back") }
            let isPaid = [.confirmed, .inProgress, .completed].contains(booking.status)
            guard
                isPaid && account.kept == booking.finalAmount
                    || booking.status == .rescheduled
                    || account.charged == 0 || account.refunded > 0
            else {
                throw SimulatedKernel.Failure(what: "at the end: \(booking.status), \(account)")
            }
        }
        for charge in charges where charge.status == .completed {
            let known = subject(of: charge.id)?.account.payments.first { $0.id == charge.id }
            guard known?.status == .completed else {
                throw SimulatedKernel.Failure(what: "paid, and nobody knows")
            }
        }
    }
}
