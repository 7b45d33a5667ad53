import FakeProvider
import Foundation
import Loop
import Protobuf
import TestKit

/// What there is to race for: a school whose lessons overlap by half, and a clinic with slots that
/// everybody wants, slots whose time to hold and to pay is short, and enough of the others.
struct RaceWorld: Sendable {
    let stage: Stage
    let provider: FakeProvider
    /// Two lessons an hour share their instructor: only one of a pair can be given to anybody.
    let school: Stage.Course
    let hot: Stage.Course
    /// Of one seat, in pairs that share their instructor; held for two seconds, paid in three.
    let fast: Stage.Course
    let wide: Stage.Course
    /// Of three seats, as soon held and paid as the fast ones: people wait in line for these, and
    /// for half of the fast ones.
    let lined: Stage.Course

    static let price: Int64 = 50_000
    static let hotCapacity = 4
    /// Of fast slots and those with lines, in seconds: how long seats are held, and how long freed
    /// ones are kept for the first in line.
    static let holdTime = 2.0
    static let offerTime = 2.0

    /// The variables by which the processes find the pretended provider.
    static func environment(_ provider: FakeProvider) -> [String: String] {
        [
            "JANJI_MIDTRANS_SERVER_KEY": provider.keys.midtransServerKey,
            "JANJI_MIDTRANS_SNAP_URL": provider.url, "JANJI_MIDTRANS_API_URL": provider.url,
            "JANJI_XENDIT_SECRET_KEY": provider.keys.xenditSecretKey,
            "JANJI_XENDIT_CALLBACK_TOKEN": provider.keys.xenditCallbackToken,
            "JANJI_XENDIT_URL": provider.url,
        ]
    }

    init(_ stage: Stage, _ provider: FakeProvider) async throws {
        self.stage = stage
        self.provider = provider
        // Times shorter than a policy may have, so that many of them end within the race.
        try await stage.system.sql(
            """
            set search_path = booking;
            alter table policy drop constraint policy_hold_seconds_check,
                drop constraint policy_payment_seconds_check,
                drop constraint policy_offer_seconds_check;
            insert into policy (code, entry, payment, cancellation, hold_seconds, payment_seconds,
                offer_seconds)
            values ('race', 'hold', 'online', 'standard', 10, 20, 10),
                ('racefast', 'hold', 'online', 'standard', \(Int(Self.holdTime)), 3,
                    \(Int(Self.offerTime)))
            """)
        school = try await stage.course(
            (0..<24).map { number in
                Stage.Lesson(
                    hour: Double(number) / 2, instructor: number / 2, room: number,
                    capacity: 1 + number % 4)
            })
        // Nobody is checked in half a day before.
        let soon = Stage.soon
        func clinic(
            _ policy: String, _ claimAt: String, _ lessons: [Stage.Lesson]
        ) async throws -> Stage.Course {
            try await stage.course(
                lessons, claimAt: claimAt,
                more: [
                    ("policy", .string(policy)), ("price", .string(String(Self.price))),
                    ("kind", "service"),
                ])
        }
        hot = try await clinic(
            "race", "publish",
            (0..<8).map { .init(hour: soon, instructor: $0, room: $0, capacity: Self.hotCapacity) })
        fast = try await clinic(
            "racefast", "assign",
            (0..<12).map { .init(hour: soon + Double($0) / 2, instructor: $0 / 2, room: $0) })
        wide = try await clinic(
            "race", "publish",
            (0..<144).map {
                .init(
                    hour: soon + Double($0 / 12) / 2, instructor: $0 % 12, room: $0 % 12,
                    capacity: 30, hours: 0.5)
            })
        lined = try await clinic(
            "racefast", "publish",
            (0..<6).map { .init(hour: soon, instructor: $0, room: $0, capacity: 3) })
    }
}
