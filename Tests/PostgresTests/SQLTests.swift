import Environment
import Loop
import Telemetry
import Testing

@testable import Postgres

@Suite struct SQLTests {
    @Test func interpolationBindsAndFragmentsCompose() {
        let filter: SQL = "owner = \("x") and n > \(5)"
        let ids = [1, 2].map { id -> SQL in "\(id)" }.joined()
        let sql: SQL =
            "select * from \(unescaped: "t") where a = \(1) and (\(filter)) or b in (\(ids))"
        #expect(
            sql.text
                == "select * from t where a = $1 and (owner = $2 and n > $3) or b in ($4, $5)")
        #expect(sql.parameters.count == 5)
    }

    @Test func appendingKeepsTheOrderOfValues() {
        var sql: SQL = "a \(1)"
        sql += " b \(2)" + " c"
        #expect(sql.text == "a $1 b $2 c")
    }

    @Test func descriptionHoldsNoValues() {
        let sql: SQL = "select \("secret")"
        #expect(!"\(sql)".contains("secret"))
    }
}

@Suite struct MigrationPlanTests {
    private let one = Migration(version: 1, name: "one", sql: "a")
    private let two = Migration(version: 2, name: "two", sql: "b")

    @Test func rejectsWrongOrder() async {
        #expect(throws: PostgresError.self) { try MigrationPlan.checkOrder([two, one]) }
        #expect(throws: PostgresError.self) { try MigrationPlan.checkOrder([one, one]) }
        #expect(throws: Never.self) { try MigrationPlan.checkOrder([one, two]) }
    }

    @Test func plansOnlyWhatIsMissing() throws {
        func plan(_ applied: [(Int, String)]) throws -> [Int] {
            try MigrationPlan.pending(
                [one, two], checksums: ["ca", "cb"],
                applied: applied.map { AppliedMigration(version: $0.0, checksum: $0.1) },
                schema: "s"
            ).map(\.version)
        }
        #expect(try plan([]) == [1, 2])
        #expect(try plan([(1, "ca")]) == [2])
        #expect(try plan([(1, "ca"), (2, "cb")]) == [])
        #expect(throws: PostgresError.self) { try plan([(1, "changed")]) }
        #expect(throws: PostgresError.self) { try plan([(1, "ca"), (3, "newer")]) }
        #expect(throws: PostgresError.self) { try plan([(2, "cb")]) }
    }
}
