import Environment
import Kafka
import Loop
import Postgres
import Protobuf
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import Domain

extension ServerTests {
    @Suite(.serialized, .timeLimit(.minutes(5))) struct OutboxRelayTests {
        @Test("events of a key arrive in the order of their transactions, once each")
        func order() async throws {
            let shop = try await Shop("relay_order")
            let relay = try shop.relay()
            for version in 1...60 {
                try await shop.commit(key: "k\(version % 3)", version: version)
                if version % 10 == 0 { relay.relay.poke() }
            }
            #expect(try await eventually { shop.heard.count == 60 })
            for key in ["k0", "k1", "k2"] {
                let versions = shop.heard.versions(of: key)
                #expect(versions == versions.sorted())
                #expect(versions.count == 20)
            }
            #expect(try await eventually { try await shop.unpublished() == 0 })
            await relay.stop()
            await shop.close()
        }

        @Test("reliability 4: a transaction that commits late is not passed over and holds nobody")
        func lateCommit() async throws {
            let shop = try await Shop("relay_late")
            let relay = try shop.relay()
            // The slow one has the lower id and xid, and commits last.
            try await shop.pool.transaction { transaction in
                try await transaction.execute(Outbox.insert([shop.event("slow", 1)]))
                try await shop.commit(key: "fast", version: 1)
                relay.relay.poke()
                // Other aggregates do not wait for it.
                #expect(try await eventually { shop.heard.keys == ["fast"] })
            }
            relay.relay.poke()
            #expect(try await eventually { shop.heard.count == 2 })
            #expect(Set(shop.heard.keys) == ["slow", "fast"])
            await relay.stop()
            await shop.close()
        }

        @Test("a rolled-back change publishes nothing")
        func rollback() async throws {
            let shop = try await Shop("relay_rollback")
            let relay = try shop.relay()
            struct Undo: Error {}
            await #expect(throws: Undo.self) {
                try await shop.pool.transaction { transaction in
                    try await transaction.execute(Outbox.insert([shop.event("ghost", 1)]))
                    throw Undo()
                }
            }
            // Rows are published in the order of their ids: the second is read after the ghost's.
            for version in 1...2 {
                try await shop.commit(key: "real", version: version)
                #expect(try await eventually { shop.heard.count == version })
            }
            #expect(shop.heard.keys == ["real", "real"])
            await relay.stop()
            await shop.close()
        }

        @Test("with the broker away events wait; when it is back all arrive, none is lost")
        func brokerDown() async throws {
            let broker = try await KafkaBroker.start(.embedded)
            let shop = try await Shop("relay_outage", broker: broker)
            let relay = try shop.relay(deliveryTimeout: .seconds(2))
            try await shop.commit(key: "k", version: 1)
            #expect(try await eventually { try await shop.unpublished() == 0 })
            #expect(try await eventually { shop.heard.count >= 1 })
            await broker.down()
            for version in 2...20 { try await shop.commit(key: "k", version: version) }
            #expect(try await eventually { relay.failures > 0 })
            #expect(try await shop.unpublished() == 19)
            try await broker.up()
            #expect(try await eventually { Set(shop.heard.versions(of: "k")).count == 20 })
            #expect(try await eventually { try await shop.unpublished() == 0 })
            let first = shop.heard.firstHearing(of: "k")
            #expect(first == Array(1...20), "first hearings stay in order")
            await relay.stop()
            await shop.close()
            await broker.stop()
        }

        @Test("killed between sending and marking: sent again, with the same event_id")
        func duplicatesOnlyAfterAKill() async throws {
            let shop = try await Shop("relay_twice")
            let relay = try shop.relay()
            for version in 1...5 { try await shop.commit(key: "k", version: version) }
            #expect(try await eventually { shop.heard.count == 5 })
            #expect(try await eventually { try await shop.unpublished() == 0 })
            try await Bench.loop.sleep(for: .milliseconds(600))
            #expect(shop.heard.count == 5, "no duplicate without a kill")
            try await shop.pool.execute(
                "update outbox set published_at = null where body like '%\"version\":\"4\"%'")
            #expect(try await eventually { shop.heard.count == 6 })
            #expect(shop.heard.ids.count == 5)
            await relay.stop()
            await shop.close()
        }

        @Test("of two relays only the holder of the lease publishes; the other takes over at once")
        func lease() async throws {
            let shop = try await Shop("relay_lease")
            let first = try shop.relay()
            #expect(
                try await eventually {
                    try await shop.number("select count(*) from outbox_lease") == 1
                })
            // However slow this test is, the lease does not run out in it.
            try await shop.pool.execute(
                "update outbox_lease set expires_at = clock_timestamp() + interval '1 hour'")
            let second = try shop.relay()
            for version in 1...30 {
                try await shop.commit(key: "k", version: version)
                first.relay.poke()
                second.relay.poke()
            }
            #expect(try await eventually { shop.heard.count == 30 })
            #expect(try await eventually { first.published == 30 })
            #expect(second.published == 0)
            await first.stop()
            try await shop.commit(key: "k", version: 31)
            #expect(
                try await eventually { shop.heard.count == 31 },
                "a drained relay gives its lease back")
            #expect(try await eventually { second.published == 1 })
            #expect(shop.heard.versions(of: "k") == Array(1...31))
            await second.stop()
            await shop.close()
        }

        @Test("a relay that died without a word is replaced when its lease has run out")
        func deadHolder() async throws {
            let shop = try await Shop("relay_dead")
            try await shop.pool.execute(
                """
                insert into outbox_lease (owner, expires_at)
                values (\(UUID.random()), clock_timestamp() + interval '1 hour')
                """)
            let relay = try shop.relay()
            try await shop.commit(key: "k", version: 1)
            try await Bench.loop.sleep(for: .milliseconds(700))
            #expect(shop.heard.count == 0, "the lease of another is respected")
            try await shop.pool.execute("update outbox_lease set expires_at = clock_timestamp()")
            #expect(try await eventually { shop.heard.count == 1 })
            await relay.stop()
            await shop.close()
        }

        @Test("how long a poked event takes from commit to delivery (printed, not asserted)")
        func latency() async throws {
            let shop = try await Shop("relay_latency")
            let relay = try shop.relay()
            try await shop.commit(key: "warm", version: 1)
            #expect(try await eventually { shop.heard.count == 1 })
            var times: [Int64] = []
            for version in 1...40 {
                try await shop.commit(key: "k", version: version)
                let start = Deadline.now()
                relay.relay.poke()
                #expect(
                    try await eventually(every: .milliseconds(1)) {
                        shop.heard.count == version + 1
                    })
                times.append(start.duration(to: .now()).nanoseconds / 1000)
            }
            times.sort()
            print("outbox poke to delivery: p50 \(times[20]) µs, p95 \(times[38]) µs")
            await relay.stop()
            await shop.close()
        }
    }
}
