import RPC

extension WebCall {
    /// What a POST may carry, for who sent something else.
    private static let acceptPost =
        "application/grpc, application/grpc-web, application/grpc-web-text, application/json, "
        + "application/proto, application/connect+json, application/connect+proto"

    /// Begins what the request asks for. Nil when it was answered at once: a preflight, or
    /// something that neither protocol is.
    static func open(
        _ request: WebRequest, _ exchange: any WebExchange, _ host: any WebHost
    ) -> WebCall? {
        let web = host.configuration.web
        let origin = CrossOrigin(web)
        func answer(_ status: Int, _ fields: WebFields = WebFields()) -> WebCall? {
            var fields = fields
            if status != 204 { origin.mark(&fields, request) }
            exchange.respond(status, fields)
            exchange.finish()
            return nil
        }
        func refuse(_ status: Int, _ name: String, _ value: String) -> WebCall? {
            var fields = WebFields()
            fields.add(name, value)
            return answer(status, fields)
        }
        guard web.isEnabled else { return answer(415) }
        if let fields = origin.preflight(request) { return answer(204, fields) }
        let method = host.table.find(request.path)
        switch request.method {
        case "POST": break
        case "GET":
            guard let method else { return answer(404) }
            guard method.descriptor.allowsGet else { return refuse(405, "allow", "POST") }
        default:
            let isReadable = method?.descriptor.allowsGet ?? false
            return refuse(405, "allow", isReadable ? "GET, POST" : "POST")
        }
        guard let dialect = dialect(request, method) else {
            return refuse(415, "accept-post", acceptPost)
        }
        let call = WebCall(request, dialect, exchange, host)
        if let method {
            call.start(method)
        } else {
            call.refuse(RPCError(.unimplemented, "no method \(request.path)"))
        }
        return call
    }

    /// Connect has one media type for unary methods and another for streams.
    private static func dialect(
        _ request: WebRequest, _ method: RegisteredMethod?
    ) -> (any WebDialect)? {
        if request.method == "POST", let dialect = GRPCWebDialect(request) { return dialect }
        let isUnary = method.map { $0.descriptor.kind == .unary }
        if isUnary ?? true, let dialect = ConnectUnaryDialect(request) { return dialect }
        if !(isUnary ?? false), let dialect = ConnectStreamDialect(request) { return dialect }
        return nil
    }
}

extension MethodDescriptor {
    /// A GET may be repeated and cached by anybody on the way.
    fileprivate var allowsGet: Bool { kind == .unary && idempotency == .noSideEffects }
}
