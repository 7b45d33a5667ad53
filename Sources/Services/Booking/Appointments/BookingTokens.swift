import Crypto
import Domain
import Environment

/// The secrets that customers are given, made from one key of the server: none is stored, each can
/// be made again for a retry.
public struct BookingTokens: Sendable {
    private let key: [UInt8]

    /// - Parameter secret: at least 32 bytes; every process of the service has the same.
    public init(secret: [UInt8]) {
        precondition(secret.count >= 32, "a secret of less than 32 bytes can be guessed")
        key = HMACSHA256.sign(key: secret, message: Array("janji booking tokens 1".utf8))
    }

    /// What proves that a hold is the caller's: 256 bits, base64url.
    func hold(_ id: UUID) -> String {
        Base64.encode(sign("hold", id.octets), variant: .url)
    }

    /// What is stored of a hold's token.
    static func digest(_ token: String) -> [UInt8] { SHA256.hash(Array(token.utf8)) }

    /// Whoever holds seats, as the table knows them: no list of addresses can be made of it.
    func holder(_ name: String) -> [UInt8] { sign("holder", Array(name.utf8)) }

    /// What opens an entry of a waiting list: its id and 256 bits.
    func waitlist(_ entry: UUID) -> String {
        Base64.encode(entry.octets + sign("waitlist", entry.octets), variant: .url)
    }

    /// The entry that a token names; whether it is the entry's is for its hash to say.
    static func waitlistEntry(namedBy token: String) -> UUID? {
        guard token.utf8.count == 64, let bytes = Base64.decode(token, variant: .url),
            bytes.count == 48
        else { return nil }
        return UUID(octets: Array(bytes[..<16]))
    }

    /// The manage link of a booking. It does not expire: what it may do is a matter of the policy.
    func manage(_ booking: UUID) -> String {
        Base64.encode(booking.octets + sign("manage", booking.octets), variant: .url)
    }

    /// The booking of a manage link; nil when it is not one of ours.
    func booking(managedBy token: String) -> UUID? {
        guard token.utf8.count == 64, let bytes = Base64.decode(token, variant: .url),
            bytes.count == 48
        else { return nil }
        let id = Array(bytes[..<16])
        guard
            constantTimeEqual(Array(bytes[16...]), sign("manage", id))
                || PlantedBug.linkUnsigned.isPlanted
        else { return nil }
        return UUID(octets: id)
    }

    /// The content of the QR code of a booking whose appointment ends then. It knows no version:
    /// it stays good when the booking changes.
    func checkIn(_ booking: UUID, until end: Instant) -> String {
        let body = booking.octets + Self.octets(end.microseconds / 1_000_000)
        return Base64.encode(body + sign("check-in", body), variant: .url)
    }

    /// The booking of a QR code and when the code ends; nil when it is not one of ours.
    func booking(checkedInBy token: String) -> (id: UUID, until: Instant)? {
        guard token.utf8.count == 75, let bytes = Base64.decode(token, variant: .url),
            bytes.count == 56
        else { return nil }
        let body = Array(bytes[..<24])
        guard constantTimeEqual(Array(bytes[24...]), sign("check-in", body)),
            let id = UUID(octets: Array(body[..<16]))
        else { return nil }
        let seconds = body[16...].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        return (id, Instant(microseconds: seconds * 1_000_000))
    }

    /// The purpose is signed too: a token of one kind is never one of another.
    private func sign(_ purpose: String, _ message: [UInt8]) -> [UInt8] {
        HMACSHA256.sign(key: key, message: Array(purpose.utf8) + [0] + message)
    }

    private static func octets(_ number: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - $0 * 8)) }
    }
}

extension UUID {
    /// The sixteen bytes.
    fileprivate var octets: [UInt8] {
        [bytes.0, bytes.1].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - $0 * 8)) }
        }
    }

    fileprivate init?(octets: [UInt8]) {
        guard octets.count == 16 else { return nil }
        let digits = Hex.encode(octets)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(digit)
        }
        self.init(text)
    }
}
