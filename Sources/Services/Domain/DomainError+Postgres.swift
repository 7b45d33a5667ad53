public import Postgres
import RPC
import Schema

extension DomainError {
    /// What a caller may know of a database error: that the service is not available for a
    /// while, or that it is our fault. The database's own words stay in the log.
    public init(_ error: PostgresError) {
        if error.sqlState == .lockNotAvailable {
            self.init(
                .requestInProgress, "another request holds this at the moment; try again",
                retryAfter: .seconds(1), cause: "\(error)")
        } else if error.isUnavailable || error.isAmbiguous || error.isRetryable {
            self.init(
                .upstreamUnavailable, "the database is not available; try again",
                retryAfter: .seconds(1), blame: .us, cause: "\(error)")
        } else {
            self.init(
                .internal, "the request could not be completed", blame: .us, cause: "\(error)")
        }
    }

    /// Runs a store's work and turns what the database throws into errors for callers.
    public static func mapping<T>(
        _ body: nonisolated(nonsending) () async throws -> T
    ) async throws -> T {
        do {
            return try await body()
        } catch let error as PostgresError {
            throw DomainError(error)
        }
    }
}
