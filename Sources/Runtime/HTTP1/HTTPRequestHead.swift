/// Request line and header fields of one request, already checked as RFC 9112 §3 and §6 demand.
public struct HTTPRequestHead: Sendable {
    public struct QueryItem: Sendable, Hashable {
        public let name: String
        public let value: String
    }

    public let method: HTTPMethod
    public let version: HTTPVersion
    public let headers: HTTPHeaders
    /// Whether the connection may carry another request afterwards (RFC 9112 §9.3).
    public let keepAlive: Bool
    /// The announced body length in bytes; nil without one and when chunked.
    public let contentLength: Int?
    public let isChunked: Bool
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1). Ask the
    /// parser for the next event first: it throws 413 without waiting for the body.
    public let expectsContinue: Bool
    /// `Upgrade` is there and `Connection` names it (RFC 9110 §7.8). The bytes behind the request
    /// are taken with `HTTPRequestParser.takeRemaining()`.
    public let isUpgrade: Bool

    let targetRange: Range<Int>
    let pathRange: Range<Int>
    let queryRange: Range<Int>?

    public var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

    /// The whole request target as it was sent.
    public var target: String { String(decoding: headers.storage[targetRange], as: UTF8.self) }

    /// The raw path, still percent-encoded; begins with "/", or is "*" for OPTIONS.
    public var path: ArraySlice<UInt8> { headers.storage[pathRange] }

    /// The raw query without "?"; nil when there is no "?".
    public var query: ArraySlice<UInt8>? { queryRange.map { headers.storage[$0] } }

    /// The path split at "/" and still encoded: "/" is [], "/a/" is ["a", ""].
    public var rawPathSegments: [ArraySlice<UInt8>] {
        guard path.first == UInt8(ascii: "/"), path.count > 1 else { return [] }
        return path.dropFirst().split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    }

    /// The segments decoded once. Throws 400 for bad escapes, `%00`, invalid UTF-8 and for the
    /// segments "." and "..", however spelled. A segment may contain "/" (from `%2F`), so a file
    /// server must compare whole segments with the names that it has, never join them.
    public func pathSegments() throws(HTTPError) -> [String] {
        var segments: [String] = []
        for raw in rawPathSegments {
            let segment = try PercentCoding.decode(raw)
            guard segment != ".", segment != ".." else {
                throw HTTPError(.malformedTarget, "dot segments are not allowed in a path")
            }
            segments.append(segment)
        }
        return segments
    }

    /// The query as name and value pairs in order, decoded as a form ("+" is a space); an item
    /// without "=" has the value "". Throws 400 for bad escapes, `%00` and invalid UTF-8.
    public func queryItems() throws(HTTPError) -> [QueryItem] {
        var items: [QueryItem] = []
        for pair in (query ?? []).split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            items.append(
                QueryItem(
                    name: try PercentCoding.decode(pair[..<equals], plusIsSpace: true),
                    value: try PercentCoding.decode(pair[equals...].dropFirst(), plusIsSpace: true))
            )
        }
        return items
    }
}
