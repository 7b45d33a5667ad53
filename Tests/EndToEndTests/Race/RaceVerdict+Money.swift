import FakeProvider
import Foundation
import TestKit
import Testing

extension RaceVerdict {
    /// Our book and the provider's are the same: every charge, and all that went back.
    func money() async throws {
        let records = try await rows(
            """
            select p.id, p.status, p.amount, coalesce((select sum(r.amount) from refund r
                where r.payment_id = p.id and r.status = 'completed'), 0),
                (select count(*) from refund r where r.payment_id = p.id and r.failure <> '')
            from payment_record p
            """)
        var paid = 0
        var wrong: [String] = []
        for record in records {
            guard let charge = race.world.provider.charge(record[0]) else {
                if record[1] == "completed" { wrong.append("\(record): unknown to the provider") }
                continue
            }
            if charge.status == .paid { paid += 1 }
            let back = charge.refunds.values.reduce(0) { $0 + (Int($1) ?? .max) }
            if (charge.status == .paid) != (record[1] == "completed") || charge.amount != record[2]
                || String(back) != record[3] || record[4] != "0"
            {
                wrong.append("\(record), but the provider: \(charge)")
            }
        }
        #expect(wrong.prefix(3) == [])
        let late = try await number(
            """
            select count(*) from booking b where b.status in ('expired', 'cancelled')
              and b.payment_status = 'refunded'
            """)
        #expect(paid > 10 && late > 0, "void without payments, in time and too late")
        race.say("\(paid) of \(records.count) charges were paid, \(late) too late and given back")
    }
}
