public import Crypto
import Domain
import Loop
import RPC
import Schema
import Synchronization

/// How passwords are derived. The default takes 32 MiB and as long as OWASP's first choice.
public enum PasswordCost {
    public static let standard = Scrypt.Parameters(cost: 1 << 15, blockSize: 8, parallelism: 3)
}

/// Derives keys off the loop, a bounded number at a time: a flood of logins must not take the
/// threads, and the memory, that others need.
final class PasswordHasher: Sendable {
    private let loop: EventLoop
    let parameters: Scrypt.Parameters
    private let running = Mutex(0)

    static let limit = 8

    init(loop: EventLoop, parameters: Scrypt.Parameters) {
        self.loop = loop
        self.parameters = parameters
    }

    /// - Throws: RATE_LIMITED when too many are at it.
    func matches(_ password: String, _ hash: PasswordHash) async throws -> Bool {
        try enter()
        defer { leave() }
        return try await loop.blocking { try hash.matches(password) }
    }

    /// - Throws: RATE_LIMITED when too many are at it.
    func hash(_ password: String) async throws -> PasswordHash {
        try enter()
        defer { leave() }
        return try await loop.blocking { [parameters] in
            try PasswordHash.make(password, parameters)
        }
    }

    private func enter() throws(DomainError) {
        let isFree = running.withLock { running in
            guard running < Self.limit else { return false }
            running += 1
            return true
        }
        guard isFree else {
            throw DomainError(
                .rateLimited, "too many people sign in at this moment; try again",
                retryAfter: .seconds(1), blame: .peer)
        }
    }

    private func leave() { running.withLock { $0 -= 1 } }
}
