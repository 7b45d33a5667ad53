/// What a browser is told about pages of other origins (the fetch standard's CORS protocol).
struct CrossOrigin {
    private let configuration: WebConfiguration

    init(_ configuration: WebConfiguration) {
        self.configuration = configuration
    }

    /// The origin of the request, when it may call.
    private func allowed(_ request: WebRequest) -> String? {
        guard let origin = request.first("origin") else { return nil }
        let list = configuration.allowedOrigins
        return list.contains("*") || list.contains(origin) ? origin : nil
    }

    /// The answer to a preflight; nil when the request is none or its origin may not call.
    func preflight(_ request: WebRequest) -> WebFields? {
        guard request.method == "OPTIONS", let origin = allowed(request),
            let method = request.first("access-control-request-method"),
            ["GET", "POST"].contains(method)
        else { return nil }
        var fields = WebFields()
        fields.add("access-control-allow-origin", origin)
        fields.add("access-control-allow-methods", "GET, POST")
        if let headers = request.first("access-control-request-headers") {
            fields.add("access-control-allow-headers", headers)
        }
        fields.add(
            "access-control-max-age", "\(configuration.preflightMaxAge.components.seconds)")
        fields.add(
            "vary",
            "origin, access-control-request-method, access-control-request-headers")
        return fields
    }

    /// Lets the page read the answer and every header of it.
    func mark(_ fields: inout WebFields, _ request: WebRequest) {
        guard !configuration.allowedOrigins.isEmpty else { return }
        let origin = allowed(request)
        if let origin {
            let names = Set(fields.list.map(\.name) + ["grpc-status", "grpc-message"])
            fields.add("access-control-allow-origin", origin)
            fields.add("access-control-expose-headers", names.sorted().joined(separator: ", "))
        }
        fields.add("vary", "origin")
    }
}
