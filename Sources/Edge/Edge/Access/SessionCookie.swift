import Environment
import HTTP1

/// Reads and writes the session cookie: HttpOnly, SameSite=Lax, Path=/.
struct SessionCookie: Sendable {
    let name: String
    let isSecure: Bool

    static let maxLength = 512

    /// The session that a request brings, from the cookie or as a bearer token.
    func session(of headers: HTTPHeaders) -> String? {
        if let value = value(of: headers) { return value }
        guard let header = headers.first("authorization") else { return nil }
        let parts = header.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return Self.checked(parts[1])
    }

    func value(of headers: HTTPHeaders) -> String? {
        for line in headers.all("cookie") {
            for pair in line.split(separator: ";") {
                let pair = pair.drop { $0 == " " }
                guard let equals = pair.firstIndex(of: "="), pair[..<equals] == name else {
                    continue
                }
                return Self.checked(pair[pair.index(after: equals)...])
            }
        }
        return nil
    }

    private static func checked(_ value: Substring) -> String? {
        (1...maxLength).contains(value.utf8.count) ? String(value) : nil
    }

    /// `Set-Cookie` for a new session; lives until `expiresAt`, or with the browser.
    func issue(_ session: String, expiresAt: Instant?, now: Instant) -> String {
        var text = "\(name)=\(session); Path=/; HttpOnly; SameSite=Lax"
        if let expiresAt {
            text += "; Max-Age=\(max(0, now.duration(to: expiresAt).components.seconds))"
        }
        return isSecure ? text + "; Secure" : text
    }

    /// `Set-Cookie` that removes the cookie.
    var clear: String {
        let text = "\(name)=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        return isSecure ? text + "; Secure" : text
    }
}
