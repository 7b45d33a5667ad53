import Crypto

/// Whoever asks for a seat.
enum Applicant {
    /// Who is the same person, for ever and without the e-mail.
    static func key(email: String) -> [UInt8] { SHA256.hash(Array(normalised(email).utf8)) }

    static func normalised(_ email: String) -> String { email.lowercased() }
}
