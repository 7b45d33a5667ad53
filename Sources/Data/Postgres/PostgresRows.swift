/// What a statement answered: its rows, or how many it changed.
public struct PostgresRows: Sendable, RandomAccessCollection {
    let result: ResultHandle

    public var startIndex: Int { 0 }
    public var endIndex: Int { result.rowCount }

    public subscript(index: Int) -> PostgresRow {
        precondition(index >= 0 && index < result.rowCount, "row \(index) of \(result.rowCount)")
        return PostgresRow(result: result, row: index)
    }

    /// Rows inserted, updated, deleted or returned.
    public var affectedRows: Int { result.affectedRows }

    /// For example `INSERT 0 1`.
    public var commandTag: String { result.commandTag }

    public var columnNames: [String] {
        (0..<result.columnCount).map { result.columnName($0) }
    }

    /// The only row.
    /// - Throws: ``PostgresError/Code/decoding`` when there are none or several.
    public func single() throws(PostgresError) -> PostgresRow {
        guard count == 1 else { throw .decoding("\(count) rows where one was expected") }
        return self[0]
    }
}

/// One row. It keeps the whole answer alive, so copy values out of large answers.
///
/// ```swift
/// let (id, name): (UUID, String?) = try (row[0], row["name"])
/// ```
public struct PostgresRow: Sendable {
    let result: ResultHandle
    let row: Int

    public var columnCount: Int { result.columnCount }

    public subscript<Value: PostgresDecodable>(column: Int) -> Value {
        get throws(PostgresError) { try decode(column, as: Value.self) }
    }

    public subscript<Value: PostgresDecodable>(name: String) -> Value {
        get throws(PostgresError) { try decode(name, as: Value.self) }
    }

    /// - Throws: ``PostgresError/Code/decoding`` when the column is absent, NULL and `Value` is not
    ///   optional, or holds something else.
    public func decode<Value: PostgresDecodable>(
        _ column: Int, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard column >= 0, column < result.columnCount else {
            throw .decoding("no column \(column) among \(result.columnCount)")
        }
        let value = result.withValue(row: row, column: column) { text in
            if let text { Value(postgresText: text) } else { Value.postgresNull }
        }
        guard let value else { throw mismatch(column, "\(type)") }
        return value
    }

    public func decode<Value: PostgresDecodable>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let column = result.columnIndex(name) else {
            throw .decoding("no column named \(name)")
        }
        return try decode(column, as: type)
    }

    public func isNull(_ column: Int) -> Bool {
        result.withValue(row: row, column: column) { $0 == nil }
    }

    private func mismatch(_ column: Int, _ type: String) -> PostgresError {
        let held = isNull(column) ? "NULL" : "other text"
        return .decoding(
            "column \(column) (\(result.columnName(column))) holds \(held), not \(type)")
    }
}
