import Environment

/// Sessions that were verified a moment ago, so that not every request asks. Loop only.
final class SessionCache {
    private struct Entry {
        let session: EdgeSession
        let until: Deadline
    }

    private let lifetime: Duration
    private let verify: @Sendable (String) async throws -> EdgeSession?
    private var entries: [String: Entry] = [:]

    static let limit = 4096

    init(lifetime: Duration, verify: @escaping @Sendable (String) async throws -> EdgeSession?) {
        self.lifetime = lifetime
        self.verify = verify
    }

    /// The session when it was verified within the lifetime and is not over.
    func known(_ id: String, now: Instant = .now()) -> EdgeSession? {
        guard let entry = entries[id] else { return nil }
        guard !entry.until.hasPassed, now < entry.session.expiresAt else {
            entries[id] = nil
            return nil
        }
        return entry.session
    }

    /// Asks the identity service; nil when the session is unknown, revoked or over.
    func verified(_ id: String) async throws -> EdgeSession? {
        guard let session = try await verify(id), Instant.now() < session.expiresAt else {
            entries[id] = nil
            return nil
        }
        if entries.count >= Self.limit { entries.removeAll() }
        entries[id] = Entry(session: session, until: .after(lifetime))
        return session
    }

    func forget(_ id: String) {
        entries[id] = nil
    }
}
