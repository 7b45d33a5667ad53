import CLibpq
import Glibc

/// Owns one `PGresult`. Reading a result is thread-safe in libpq (manual, section 34.20), and after
/// `init` nothing changes it, so it may be shared.
final class ResultHandle: @unchecked Sendable {
    private let raw: OpaquePointer
    let status: ExecStatusType
    let rowCount: Int
    let columnCount: Int

    init(_ raw: OpaquePointer) {
        self.raw = raw
        status = PQresultStatus(raw)
        rowCount = Int(PQntuples(raw))
        columnCount = Int(PQnfields(raw))
    }

    deinit { PQclear(raw) }

    /// The text of a value, valid during `body`; nil for NULL.
    @inline(__always)
    func withValue<T>(row: Int, column: Int, _ body: (UnsafeRawBufferPointer?) -> T) -> T {
        let (row, column) = (Int32(row), Int32(column))
        guard PQgetisnull(raw, row, column) == 0 else { return body(nil) }
        let length = Int(PQgetlength(raw, row, column))
        return body(UnsafeRawBufferPointer(start: PQgetvalue(raw, row, column), count: length))
    }

    func columnName(_ column: Int) -> String {
        PQfname(raw, Int32(column)).map { String(cString: $0) } ?? ""
    }

    /// The first column of this name, compared byte by byte.
    func columnIndex(_ name: String) -> Int? {
        let count = name.utf8.count
        for column in 0..<columnCount {
            guard let candidate = PQfname(raw, Int32(column)) else { continue }
            let bytes = UnsafeRawBufferPointer(start: candidate, count: count + 1)
            var index = 0
            var isEqual = true
            for byte in name.utf8 {
                // The candidate's NUL ends the comparison before its memory does.
                guard bytes[index] == byte, byte != 0 else {
                    isEqual = false
                    break
                }
                index += 1
            }
            if isEqual, bytes[count] == 0 { return column }
        }
        return nil
    }

    /// For example `INSERT 0 1`, `COMMIT`.
    var commandTag: String {
        PQcmdStatus(raw).map { String(cString: $0) } ?? ""
    }

    func hasCommandTag(_ tag: StaticString) -> Bool {
        guard let status = PQcmdStatus(raw) else { return false }
        return tag.withUTF8Buffer { expected in
            status.withMemoryRebound(to: UInt8.self, capacity: expected.count + 1) { bytes in
                for index in 0..<expected.count where bytes[index] != expected[index] {
                    return false
                }
                return bytes[expected.count] == 0
            }
        }
    }

    var affectedRows: Int {
        guard let text = PQcmdTuples(raw) else { return 0 }
        return Int(strtol(text, nil, 10))
    }

    var isError: Bool {
        status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE
            || status == PGRES_NONFATAL_ERROR
    }

    private func field(_ code: Int32) -> String? {
        PQresultErrorField(raw, code).map { String(cString: $0) }
    }

    /// The error that this result carries.
    func makeError() -> PostgresError {
        guard let state = field(ErrorField.sqlState) else {
            // libpq's own words: it lost the connection, there is no SQLSTATE.
            let text = PQresultErrorMessage(raw).map { String(cString: $0) } ?? "connection lost"
            return .connectionLost(text)
        }
        let sqlState = SQLState(rawValue: state)
        var error = PostgresError(
            code: .server(sqlState), message: field(ErrorField.message) ?? "",
            constraint: field(ErrorField.constraint), table: field(ErrorField.table),
            detail: field(ErrorField.detail), blame: sqlState.blame)
        error.isStalePlan =
            sqlState == .featureNotSupported
            && field(ErrorField.function) == "RevalidateCachedQuery"
        return error
    }
}

/// The `PG_DIAG_*` field codes, which are character macros that Swift does not import.
private enum ErrorField {
    static let sqlState = Int32(UInt8(ascii: "C"))
    static let message = Int32(UInt8(ascii: "M"))
    static let detail = Int32(UInt8(ascii: "D"))
    static let table = Int32(UInt8(ascii: "t"))
    static let constraint = Int32(UInt8(ascii: "n"))
    static let function = Int32(UInt8(ascii: "R"))
}

extension SQLState {
    fileprivate var blame: PostgresError.Blame {
        switch category {
        case "22", "23": .caller
        case "08", "40", "53", "55", "57", "58", "XX": .database
        default: .us
        }
    }
}
