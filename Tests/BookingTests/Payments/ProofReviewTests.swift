import Domain
import Environment
import Postgres
import RPC
import Schema
import Synchronization
import Telemetry
import Testing

@testable import Booking

extension ServerTests {
    @Suite("Proofs under review", .serialized, .timeLimit(.minutes(2))) struct ProofReviewTests {
        @Test("a proof that was sent in time keeps the seat until somebody has looked at it")
        func kept() async throws {
            let stage = try await PaymentStage("review_kept")
            let booking = try await stage.booking(seconds: 300)
            let payment = try await stage.submit(
                booking, try await stage.upload(PaymentStage.picture))
            #expect((86_280...86_400).contains(try await stage.left(booking)))
            #expect(
                payment.expiresAt.map { Instant($0) < .now() + .seconds(300) } == true,
                "the charge remembers the time to pay")
            try await stage.pass(3600)
            #expect(try await stage.lapse() == 0)
            try await stage.review(payment.id, approve: true)
            #expect(try await stage.state(booking) == "confirmed paid")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("the review is over with its time, as every time to pay is")
        func over() async throws {
            let stage = try await PaymentStage("review_over")
            try await stage.review(seconds: 600)
            let booking = try await stage.booking(seconds: 300)
            let payment = try await stage.submit(
                booking, try await stage.upload(PaymentStage.picture))
            #expect((480...600).contains(try await stage.left(booking)))
            try await stage.pass(601)
            // Its seat may be somebody's already: a rejection does not bring it back.
            try await stage.review(payment.id, approve: false, "not readable")
            #expect(try await stage.left(booking) < 0)
            #expect(try await stage.lapse() == 1)
            #expect(try await stage.state(booking) == "expired failed")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("never beyond the start of the slot, and never shorter than it was")
        func start() async throws {
            let stage = try await PaymentStage("review_start")
            try await stage.review(seconds: 2_592_000)
            let proof = PaymentStage.picture
            let booking = try await stage.booking(seconds: 300)
            let payment = try await stage.submit(booking, try await stage.upload(proof))
            #expect(try await stage.end(booking) == stage.slot.start)
            let long = try await stage.booking(seconds: 30 * 86_400)
            let before = try await stage.end(long)
            let other = try await stage.submit(long, try await stage.upload(proof))
            #expect(try await stage.end(long) == before)
            try await stage.review(other.id, approve: false, "not readable")
            #expect(try await stage.end(long) == before)
            // The start is in ten minutes: the next proof has no quarter of an hour.
            try await stage.fixture.pool.execute(
                """
                update slot set starts_at = n.start, ends_at = n.start + interval '1 hour',
                    occupies = tstzrange(n.start, n.start + interval '1 hour', '[)'),
                    local_date = (n.start at time zone time_zone)::date
                from (select clock_timestamp() + interval '10 minutes' as start) n
                """)
            try await stage.review(payment.id, approve: false, "not readable")
            #expect((480...600).contains(try await stage.left(booking)))
            await stage.close()
        }

        @Test("after a rejection: what was left of the time to pay, a quarter of an hour at least")
        func rejected() async throws {
            let stage = try await PaymentStage("review_rejected")
            let proof = PaymentStage.picture
            let (short, long) = (
                try await stage.booking(seconds: 300), try await stage.booking(seconds: 7000)
            )
            let before = try await stage.end(long)
            for booking in [short, long] {
                let payment = try await stage.submit(booking, try await stage.upload(proof))
                try await stage.review(payment.id, approve: false, "not readable")
            }
            #expect((780...900).contains(try await stage.left(short)))
            #expect(try await stage.end(long) == before)
            let again = try await stage.submit(short, try await stage.upload(proof))
            #expect((86_280...86_400).contains(try await stage.left(short)))
            try await stage.review(again.id, approve: true)
            #expect(try await stage.state(short) == "confirmed paid")
            try await stage.pass(7000)
            #expect(try await stage.lapse() == 1)
            #expect(try await stage.state(long) == "expired failed")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("after five rejected proofs the seat is kept for no other; the desk takes money")
        func endless() async throws {
            let stage = try await PaymentStage("review_endless")
            let booking = try await stage.booking(seconds: 300)
            for _ in 0..<5 {
                let payment = try await stage.submitProof(booking)
                try await stage.review(payment.id, approve: false, "not readable")
            }
            let end = try await stage.end(booking)
            let sixth = await refusal { _ = try await stage.submitProof(booking) }
            #expect(sixth.code == .paymentFailed)
            #expect(try await stage.end(booking) == end)
            try await stage.record(booking)
            #expect(try await stage.state(booking) == "confirmed paid")
            try await stage.checkInvariants()
            await stage.close()
        }

        @Test("in time is by the database's clock, though the process's is a day behind")
        func behind() async throws {
            let stage = try await PaymentStage("review_behind")
            let behind = PaymentService(
                pool: stage.fixture.pool, clock: Clock { .now() - .seconds(86_400) },
                providers: PaymentProviders([]), tokens: PaymentStage.tokens,
                captcha: NoCaptcha(), committed: {})
            let booking = try await stage.booking(seconds: -1)
            let end = try await stage.end(booking)
            let proof = try await stage.upload(PaymentStage.picture)
            let late = await refusal {
                _ = try await stage.submit(booking, proof, to: behind)
            }
            #expect(late.code == .bookingExpired)
            #expect(try await stage.end(booking) == end)
            #expect(
                try await stage.fixture.number("select count(*) from payment_record") == 0)
            await stage.close()
        }

        @Test("a booking keeps the time of review that it was made under; one of before has a day")
        func snapshot() async throws {
            let stage = try await PaymentStage("review_snapshot")
            let (own, old) = (
                try await stage.booking(seconds: 300), try await stage.booking(seconds: 300)
            )
            try await stage.review(seconds: 1200)
            for booking in [own, old] {
                try await stage.fixture.pool.execute(
                    """
                    update booking b set policy = (select \(PolicyTerms.snapshot) from policy p
                        where p.code = 'school') where b.id = \(booking)
                    """)
            }
            try await stage.fixture.pool.execute(
                "update booking set policy = policy - 'proof_review_seconds' where id = \(old)")
            try await stage.review(seconds: 60)
            for (booking, seconds) in [(own, 1200), (old, 86_400)] {
                _ = try await stage.submit(
                    booking, try await stage.upload(PaymentStage.picture))
                #expect((seconds - 120...seconds).contains(try await stage.left(booking)))
            }
            await stage.close()
        }

        @Test("proofs are sent while bookings lapse: each has its seat and is reviewed, or neither")
        func race() async throws {
            let stage = try await PaymentStage("review_race")
            let bookings = try await stage.bookings(24)
            var proofs: [String] = []
            for _ in bookings { proofs.append(try await stage.upload(PaymentStage.picture)) }
            // One lapses after the other while the proofs come.
            try await stage.fixture.pool.execute(
                """
                update booking b set expires_at = clock_timestamp() + n * interval '4 milliseconds'
                from unnest(\(bookings)) with ordinality l(id, n) where l.id = b.id
                """)
            let sent = Mutex<Set<UUID>>([])
            let outcomes = await allAtOnce(32) { [proofs] index in
                if index >= 24 {
                    _ = try await stage.lapse()
                } else {
                    _ = try await stage.submit(bookings[index], proofs[index])
                    sent.withLock { _ = $0.insert(bookings[index]) }
                }
            }
            #expect(outcomes.compactMap(\.refusal).allSatisfy { $0.code == .bookingExpired })
            while try await stage.lapse() > 0 {}
            for booking in bookings {
                let state = try await stage.state(booking)
                if sent.withLock({ $0.contains(booking) }) {
                    #expect(state == "pending_payment pending")
                    #expect(try await stage.left(booking) > 86_000)
                } else {
                    #expect(state == "expired pending")
                }
            }
            try await stage.checkInvariants()
            await stage.close()
        }
    }
}

extension PaymentStage {
    fileprivate func bookings(_ count: Int) async throws -> [UUID] {
        var bookings: [UUID] = []
        for _ in 0..<count { bookings.append(try await booking()) }
        return bookings
    }

    /// What all policies say.
    fileprivate func review(seconds: Int) async throws {
        try await fixture.pool.execute("update policy set proof_review_seconds = \(seconds)::int")
    }

    fileprivate func end(_ booking: UUID) async throws -> Instant {
        try await fixture.pool.query("select expires_at from booking where id = \(booking)")
            .single()[0]
    }

    /// Seconds until the booking lapses.
    fileprivate func left(_ booking: UUID) async throws -> Int {
        try await fixture.number(
            """
            select ceil(extract(epoch from expires_at - clock_timestamp()))::int
            from booking where id = \(booking)
            """)
    }

    /// As if so many seconds had passed for all bookings.
    fileprivate func pass(_ seconds: Int) async throws {
        try await fixture.pool.execute(
            "update booking set expires_at = expires_at - make_interval(secs => \(seconds)::int)")
    }

    /// What a sweeper would do now.
    /// - Returns: how many slots it has freed something in.
    fileprivate func lapse() async throws -> Int {
        try await SeatSweeper(
            pool: fixture.pool, loop: Fixture.loop, logger: .init(label: "test"), committed: {}
        ).round()
    }
}
