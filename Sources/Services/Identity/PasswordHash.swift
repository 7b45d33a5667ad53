import Crypto
import Environment

/// What is kept of a password.
struct PasswordHash: Sendable, Hashable {
    let salt: [UInt8]
    let key: [UInt8]
    let parameters: Scrypt.Parameters

    static let saltLength = 16

    /// Blocks for a good part of a second: never on a loop.
    static func make(
        _ password: String, _ parameters: Scrypt.Parameters
    ) throws(CryptoError) -> PasswordHash {
        let salt = SystemRandom.bytes(saltLength)
        let key = try Scrypt.derive(
            password: Array(password.utf8), salt: salt, parameters: parameters)
        return PasswordHash(salt: salt, key: key, parameters: parameters)
    }

    /// What the password of nobody is compared with, so that an unknown user costs the same: no
    /// password has an empty key.
    static func nobody(_ parameters: Scrypt.Parameters) -> PasswordHash {
        PasswordHash(
            salt: [UInt8](repeating: 0, count: saltLength), key: [], parameters: parameters)
    }

    /// Blocks as ``make(_:_:)`` does.
    func matches(_ password: String) throws(CryptoError) -> Bool {
        constantTimeEqual(
            try Scrypt.derive(password: Array(password.utf8), salt: salt, parameters: parameters),
            key)
    }
}
