import Domain
import Environment
import Schema
import Testing

@testable import Booking

@Suite("Payments: the rules of money") struct PaymentRulesTests {
    static let now = Instant(secondsSinceEpoch: 1_800_000_000)

    static func payment(_ amount: Int64, _ status: Payment.Status = .completed, age: Int = 0)
        -> Payment
    {
        var payment = Payment(
            id: .random(), bookingID: .random(), provider: "midtrans", amount: amount,
            currency: "IDR", status: status, expiresAt: now + .seconds(600),
            createdAt: now + .seconds(-age))
        if status == .completed { payment.paidAt = now }
        return payment
    }

    static func refund(_ payment: Payment, _ amount: Int64, _ status: Refund.Status) -> Refund {
        Refund(
            id: .random(), paymentID: payment.id, amount: amount, reason: "", actor: "",
            key: UUID.random().description, status: status, requestedAt: now)
    }

    // MARK: Quotes

    @Test(
        "E-24: 90 % is rounded down to a whole rupiah, without overflow",
        arguments: [
            (0, 0), (1, 0), (9, 8), (10, 9), (99_999, 89_999), (100_000, 90_000),
            (Int64.max, 8_301_034_833_169_298_226),
        ] as [(Int64, Int64)])
    func standard(_ charged: Int64, _ refund: Int64) {
        let account = PaymentAccount(payments: charged > 0 ? [Self.payment(charged)] : [])
        let quote = CancellationQuote(
            account, .standard, price: charged, startsAt: nil, now: Self.now)
        #expect(quote.refund == refund)
        #expect(quote.kept == charged - refund)
        #expect(quote.parts.reduce(0) { $0 + $1.amount } == refund)
    }

    @Test("the longest notice that is met counts; none is met after the start")
    func tiers() {
        let policy = CancellationPolicy(
            code: "test",
            tiers: [
                .init(notice: .zero, refundPercent: 10),
                .init(notice: .seconds(86_400), refundPercent: 50),
                .init(notice: .seconds(604_800), refundPercent: 100),
            ])
        let cases: [(Int, Int)] = [
            (-1, 0), (0, 10), (86_399, 10), (86_400, 50), (604_799, 50), (604_800, 100),
        ]
        for (notice, percent) in cases {
            #expect(
                policy.percent(startsAt: Self.now + .seconds(notice), now: Self.now) == percent,
                "\(notice) s before")
        }
        #expect(policy.percent(startsAt: nil, now: Self.now) == 100)
    }

    @Test("what has gone back, or is about to, counts as part of the percentage")
    func partial() {
        let old = Self.payment(1000, age: 10)
        let new = Self.payment(500)
        var account = PaymentAccount(
            payments: [old, new, Self.payment(700, .expired)],
            refunds: [
                Self.refund(new, 400, .completed), Self.refund(old, 100, .requested),
                Self.refund(old, 900, .failed),
            ])
        #expect(account.charged == 1500)
        #expect(account.kept == 1000)
        let quote = CancellationQuote(
            account, .standard, price: 1500, startsAt: nil, now: Self.now)
        #expect(quote.refund == 850, "90 % of 1500, less 500")
        #expect(
            quote.parts == [
                .init(payment: new.id, amount: 100), .init(payment: old.id, amount: 750),
            ])
        account.refunds.append(Self.refund(old, 900, .completed))
        #expect(
            CancellationQuote(
                account, .standard, price: 1500, startsAt: nil, now: Self.now
            ).refund == 0,
            "more has gone back already")
        #expect(CancellationQuote(101, of: account) == nil)
        #expect(CancellationQuote(100, of: account)?.kept == 0)
        #expect(CancellationQuote(0, of: account) == nil)
    }

    @Test("paid twice and cancelled: the percentage of the price, and all of the rest")
    func twice() {
        let account = PaymentAccount(payments: [Self.payment(1000), Self.payment(1000)])
        let quote = CancellationQuote(
            account, .standard, price: 1000, startsAt: nil, now: Self.now)
        #expect(quote.refund == 1900 && quote.kept == 100)
    }

    @Test("a free booking gives nothing back")
    func free() {
        let quote = CancellationQuote(
            PaymentAccount(), .standard, price: 0, startsAt: Self.now, now: Self.now)
        #expect(quote.refund == 0 && quote.kept == 0 && quote.parts.isEmpty)
    }

    // MARK: Reports

    @Test("a status only moves up: every pair of states, a report for other money is refused")
    func reports() {
        for from in Payment.Status.allCases {
            for to in Payment.Status.allCases {
                let payment = Self.payment(500, from)
                var report = PaymentReport(
                    payment: payment.id, status: to, amount: 500, currency: "IDR")
                let verdict = PaymentRules.apply(report, to: payment, now: Self.now)
                if to.rank > from.rank {
                    guard case .changed(let next) = verdict else {
                        Issue.record("\(from) to \(to): \(verdict)")
                        continue
                    }
                    #expect(next.status == to)
                    #expect((next.paidAt != nil) == (to == .completed))
                } else {
                    #expect(verdict == .unchanged, "\(from) to \(to)")
                }
                report.amount = 499
                #expect(
                    PaymentRules.apply(report, to: payment, now: Self.now) == .refused(.amount))
                report.currency = "USD"
                #expect(
                    PaymentRules.apply(report, to: payment, now: Self.now) == .refused(.currency))
                report.payment = .random()
                #expect(
                    PaymentRules.apply(report, to: payment, now: Self.now) == .refused(.payment))
            }
        }
    }

    // MARK: What follows for the booking

    @Test("what is reported can be written down whatever has become of the booking")
    func follows() throws {
        let (failed, open) = (Self.payment(500, .failed), Self.payment(500, .pending))
        let (paid, again) = (Self.payment(500), Self.payment(500))
        let accounts = [
            PaymentAccount(payments: [failed]), PaymentAccount(payments: [failed, open]),
            PaymentAccount(payments: [paid]), PaymentAccount(payments: [paid, again]),
            PaymentAccount(payments: [paid], refunds: [Self.refund(paid, 500, .completed)]),
            PaymentAccount(payments: [paid], refunds: [Self.refund(paid, 200, .completed)]),
            PaymentAccount(payments: [paid], refunds: [Self.refund(paid, 200, .requested)]),
        ]
        for (status, payments) in BookingState.legal where status != .rescheduled {
            for payment in payments {
                for account in accounts {
                    var booking = BookingRulesTests.booking(status, payment, for: .confirm)
                    booking.total = 500
                    // A charge is opened under rules of its own.
                    guard let command = PaymentRules.command(booking, account),
                        command != .paymentOpened
                    else { continue }
                    #expect(throws: Never.self, "\(status) \(payment) \(command)") {
                        try BookingRules.decide(booking, command, now: BookingRulesTests.now)
                    }
                }
            }
        }
        for status in [Booking.Status.inProgress, .completed, .noShow] {
            var booking = BookingRulesTests.booking(status, .pending, for: .confirm)
            booking.total = 500
            #expect(PaymentRules.command(booking, accounts[0]) == nil, "\(status): still owed")
            #expect(PaymentRules.command(booking, accounts[2]) == .paid)
        }
    }

    @Test(
        "amounts of providers: whole minor units or nothing",
        arguments: [
            ("150000.00", "IDR", 150_000), ("150000", "IDR", 150_000), ("150000.50", "IDR", nil),
            ("10.5", "USD", 1050), ("10.55", "USD", 1055), ("10.555", "USD", nil),
            ("0.001", "KWD", 1), ("1e5", "IDR", nil), ("-5", "IDR", nil), ("", "IDR", nil),
            (".5", "USD", nil), ("5.", "USD", nil), ("99999999999999999999", "IDR", nil),
            ("1,000", "IDR", nil), (" 5", "IDR", nil), ("+5", "IDR", nil),
        ] as [(String, String, Int64?)])
    func amounts(_ text: String, _ currency: String, _ amount: Int64?) {
        #expect(MinorUnits.parse(text, currency) == amount)
        if let amount {
            #expect(MinorUnits.parse(MinorUnits.text(amount, currency), currency) == amount)
        }
    }
}
