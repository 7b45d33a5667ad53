import HTTP1

/// Which browsers' pages may use the API: the own ones and those of the allow-list.
struct OriginPolicy: Sendable {
    let allowed: Set<String>

    init(_ allowed: Set<String>) {
        self.allowed = Set(
            allowed.map { origin in
                let lower = origin.lowercased()
                return lower.hasSuffix("/") ? String(lower.dropLast()) : lower
            })
    }

    enum Verdict: Sendable {
        /// No `Origin`: not a browser, or a navigation of the own site.
        case absent
        case same
        /// In the allow-list; may be echoed in CORS fields.
        case allowed(String)
        case foreign
    }

    func verdict(_ headers: HTTPHeaders) -> Verdict {
        let origins = headers.all("origin")
        guard let origin = origins.first?.lowercased() else { return .absent }
        guard origins.count == 1 else { return .foreign }
        if allowed.contains(origin) { return .allowed(origin) }
        // The scheme is not compared: TLS may end in front of us.
        guard let host = headers.first("host")?.lowercased() else { return .foreign }
        for scheme in ["http://", "https://"] where origin == scheme + host { return .same }
        return .foreign
    }

    /// Refuses state changes that another site's page asks for (CSRF).
    func checkStateChange(_ headers: HTTPHeaders) throws(EdgeFailure) {
        switch verdict(headers) {
        case .foreign: throw .foreignOrigin
        case .allowed, .same: return
        case .absent:
            if headers.first("sec-fetch-site")?.lowercased() == "cross-site" {
                throw .foreignOrigin
            }
        }
    }

    /// Adds what lets the page of an allowed origin read the answer; never `*`.
    func addFields(for headers: HTTPHeaders, to response: inout HTTPResponse) {
        guard !allowed.isEmpty else { return }
        response.headers.add(literal: "vary", "origin")
        guard case .allowed = verdict(headers), let origin = headers.first("origin") else { return }
        try? response.headers.add("access-control-allow-origin", origin)
        response.headers.add(literal: "access-control-allow-credentials", "true")
        response.headers.add(
            literal: "access-control-expose-headers",
            "x-request-id, retry-after, idempotency-replayed, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
        )
    }

    /// Whether the request only asks if another may follow.
    static func isPreflight(_ head: HTTPRequestHead) -> Bool {
        head.method == .options && head.headers.contains("origin")
            && head.headers.contains("access-control-request-method")
    }

    func preflight(_ head: HTTPRequestHead, methods: [HTTPMethod]) -> HTTPResponse {
        var response = HTTPResponse(status: .noContent)
        addFields(for: head.headers, to: &response)
        guard case .allowed = verdict(head.headers) else {
            response.status = .forbidden
            return response
        }
        let names = methods.map(\.rawValue).joined(separator: ", ")
        try? response.headers.add("access-control-allow-methods", names)
        response.headers.add(
            literal: "access-control-allow-headers",
            "content-type, authorization, idempotency-key, x-request-id")
        response.headers.add(literal: "access-control-max-age", "600")
        return response
    }
}
