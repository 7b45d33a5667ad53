import Environment
import Loop
import Postgres
import Telemetry
import TestKit
import Testing

extension ServerTests {
    @Suite struct ValueTests {
        /// Sends each value, lets the server compare it with its own literal, and reads it back.
        private func roundTrip<Value: PostgresEncodable & PostgresDecodable & Equatable>(
            _ pool: PostgresPool, type: String, _ cases: [(Value, String)],
            _ location: SourceLocation = #_sourceLocation
        ) async throws {
            for (value, literal) in cases {
                let sql: SQL = """
                    select \(value)::\(unescaped: type) as v,
                        (\(value)::\(unescaped: type) is not distinct from
                            \(unescaped: literal)::\(unescaped: type)) as same
                    """
                let row = try await pool.query(sql).single()
                #expect(try row[0] == value, sourceLocation: location)
                #expect(try row["same"] == true, "\(literal)", sourceLocation: location)
            }
        }

        @Test func everyTypeGoesThereAndBack() async throws {
            let fixture = try Fixture("values")
            let pool = fixture.pool
            try await roundTrip(
                pool, type: "text",
                [
                    ("", "''"), ("plain", "'plain'"),
                    ("it's \"q\" \\ $1", "E'it\\'s \"q\" \\\\ $1'"),
                    ("日本 🐎 é", "'日本 🐎 é'"), ("a\nb\tc", "E'a\\nb\\tc'"),
                    ("'; drop table x; --", "'''; drop table x; --'"),
                ])
            try await roundTrip(
                pool, type: "int8",
                [
                    (Int64.min, "'-9223372036854775808'"), (Int64.max, "9223372036854775807"),
                    (0, "0"),
                ])
            try await roundTrip(
                pool, type: "int8", [(Int.min, "'-9223372036854775808'"), (-1, "'-1'")])
            try await roundTrip(
                pool, type: "int4", [(Int32.min, "'-2147483648'"), (Int32.max, "2147483647")])
            try await roundTrip(pool, type: "bool", [(true, "true"), (false, "false")])
            try await roundTrip(
                pool, type: "float8",
                [
                    (0.1, "0.1"), (-1.5e300, "'-1.5e300'"), (.infinity, "'infinity'"),
                    (-.infinity, "'-infinity'"),
                    (2.2250738585072014e-308, "2.2250738585072014e-308"),
                ])
            let nan: Double = try await pool.query("select \(Double.nan)").single()[0]
            #expect(nan.isNaN)
            try await roundTrip(
                pool, type: "bytea",
                [([UInt8](), "''"), ([0, 1, 255, 92], "'\\x0001ff5c'"), ([0], "'\\x00'")])
            let uuid = try #require(UUID("0190a5d8-1111-7abc-8def-0123456789ab"))
            try await roundTrip(pool, type: "uuid", [(uuid, "'\(uuid)'")])
            let (instant, leap) = (
                try #require(Instant(rfc3339: "2025-12-02T10:00:00.123456Z")),
                try #require(LocalDate("2024-02-29"))
            )
            try await roundTrip(
                pool, type: "timestamptz",
                [
                    (instant, "'2025-12-02 17:00:00.123456+07'"),
                    (Instant(microseconds: 0), "'1970-01-01 00:00:00+00'"),
                    (Instant(microseconds: -1), "'1969-12-31 23:59:59.999999+00'"),
                    (Instant(microseconds: 500_000), "'1970-01-01 00:00:00.5+00'"),
                ])
            try await roundTrip(pool, type: "date", [(leap, "'2024-02-29'")])
            let json: JSONText = #"{"a": [1, "x\"y"]}"#
            try await roundTrip(pool, type: "jsonb", [(json, #"'{"a": [1, "x\"y"]}'"#)])
            await pool.close()
        }

        @Test func arraysAndNull() async throws {
            let fixture = try Fixture("arrays")
            let pool = fixture.pool
            try await roundTrip(
                pool, type: "text[]",
                [
                    ([String](), "'{}'"),
                    (
                        ["", "a b", "NULL", "null", "c\"d\\e", "{x,y}", "é,"],
                        #"array['', 'a b', 'NULL', 'null', 'c"d\e', '{x,y}', 'é,']"#
                    ),
                ])
            try await roundTrip(
                pool, type: "int8[]", [([Int64.min, 0, 7], "'{-9223372036854775808,0,7}'")])
            try await roundTrip(pool, type: "int8[]", [([3, 1, 2], "'{3,1,2}'")])
            let ids = [UUID.random(), UUID.random()]
            try await roundTrip(pool, type: "uuid[]", [(ids, "'{\(ids[0]),\(ids[1])}'")])
            let instants = [Instant(microseconds: 0), Instant(microseconds: 1_500_000)]
            try await roundTrip(
                pool, type: "timestamptz[]",
                [
                    (
                        instants,
                        "array['1970-01-01 00:00:00+00','1970-01-01 00:00:01.5+00']::timestamptz[]"
                    )
                ])
            try await roundTrip(pool, type: "text", [(String?.none, "null"), (.some("x"), "'x'")])
            try await roundTrip(pool, type: "uuid", [(UUID?.none, "null")])
            try await roundTrip(
                pool, type: "bytea", [([UInt8]?.none, "null"), (.some([1]), "'\\x01'")])
            try await roundTrip(pool, type: "text[]", [([String]?.none, "null")])
            try await roundTrip(pool, type: "timestamptz", [(Instant?.none, "null")])
            await pool.close()
        }

        @Test func anInjectionAttemptIsData() async throws {
            let fixture = try Fixture("injection")
            let pool = fixture.pool
            try await pool.execute("create table victim (name text)")
            let attack = "x'); drop table victim; --"
            try await pool.execute("insert into victim values (\(attack))")
            let rows = try await pool.query("select name from victim where name = \(attack)")
            #expect(try rows.single()[0] == attack)
            await pool.close()
        }

        @Test func wrongReadsAreTypedErrors() async throws {
            let fixture = try Fixture("decoding")
            let pool = fixture.pool
            let row = try await pool.query(
                "select null::text as n, 'abc' as t, 5000000000 as big, array[1, null] as holes"
            ).single()
            func code(_ read: () throws -> Void) -> PostgresError.Code? {
                do { try read() } catch { return (error as? PostgresError)?.code }
                return nil
            }
            #expect(code { let _: String = try row["n"] } == .decoding)
            #expect(code { let _: Int = try row["t"] } == .decoding)
            #expect(code { let _: Bool = try row["t"] } == .decoding)
            #expect(code { let _: UUID = try row["t"] } == .decoding)
            #expect(code { let _: Int32 = try row["big"] } == .decoding)
            #expect(code { let _: [Int] = try row["holes"] } == .decoding)
            #expect(code { let _: String = try row["absent"] } == .decoding)
            #expect(code { let _: String = try row["tt"] } == .decoding)
            #expect(code { let _: String = try row[4] } == .decoding)
            #expect(code { let _: String? = try row["n"] } == nil)
            let empty = try await pool.query("select 1 where false")
            #expect(code { _ = try empty.single() } == .decoding)
            await pool.close()
        }

        @Test func textWithNULIsRefusedAndTheConnectionStaysUsable() async throws {
            let fixture = try Fixture("nul") { $0.poolSize = 1 }
            let error = await failure { _ = try await fixture.pool.query("select \("a\0b")") }
            #expect(error.code == .invalidUse)
            #expect(try await fixture.pool.query("select 1").count == 1)
            await fixture.pool.close()
        }

        @Test func errorsShowNoValuesAndNoSQL() async throws {
            let fixture = try Fixture("leaks")
            let pool = fixture.pool
            try await pool.execute("create table secret (email text constraint one_email unique)")
            try await pool.execute("insert into secret values ('canary@example.test')")
            let error = await failure {
                try await pool.execute("insert into secret values (\("canary@example.test"))")
            }
            #expect(error.sqlState == .uniqueViolation)
            #expect(error.constraint == "one_email")
            #expect(error.table == "secret")
            #expect(error.detail?.contains("canary") == true)
            #expect(error.blame == .caller)
            #expect(!"\(error)".contains("canary") && !"\(error)".contains("insert"))
            await pool.close()
        }
    }
}
