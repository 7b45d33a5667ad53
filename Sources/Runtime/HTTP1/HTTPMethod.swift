/// The request methods this server knows (RFC 9110 §9, RFC 5789). CONNECT, TRACE and every other
/// token answer 501, because nothing behind the edge implements them.
public enum HTTPMethod: String, Sendable, Hashable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"

    init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        for method in Self.allCases where ASCII.equal(bytes, method.rawValue) {
            self = method
            return
        }
        return nil
    }
}
