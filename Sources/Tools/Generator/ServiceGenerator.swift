import Protobuf

/// Prints what a server of a service needs: its methods, a protocol, the registration.
struct ServiceGenerator {
    let service: ServiceSchema
    let types: TypeNames
    let access: String

    private var names: TypeNames.Service { types.service(service) }
    private var namespace: String {
        SwiftIdentifier.namespace(package: service.file.package)
    }

    /// Function names, unique also when RPCs differ in case only.
    static func functionNames(_ service: ServiceSchema) -> [String] {
        var scope = NameScope(
            reserved: SwiftIdentifier.reservedMembers.union(["channel", "serviceName"]))
        return service.methods.map { scope.claim(SwiftIdentifier.lowerCamel($0.name)) }
    }

    private var methods: [(schema: MethodSchema, name: String)] {
        Array(zip(service.methods, ServiceGenerator.functionNames(service)))
    }

    func methodList(to printer: inout CodePrinter) {
        printer.line("/// The methods of `\(service.fullName)`.")
        printer.block("\(access)enum \(names.methods)") { printer in
            for (index, method) in methods.enumerated() {
                if index > 0 { printer.line() }
                let name = SwiftIdentifier.escaped(method.name)
                printer.line("\(access)static let \(name) = RPC::MethodDescriptor(")
                printer.line(
                    "    service: \"\(service.fullName)\", name: \"\(method.schema.name)\",")
                printer.line(
                    "    kind: .\(kind(method.schema)), idempotency: .\(method.schema.idempotency))"
                )
            }
        }
    }

    private func kind(_ method: MethodSchema) -> String {
        switch (method.clientStreaming, method.serverStreaming) {
        case (false, false): "unary"
        case (true, false): "clientStreaming"
        case (false, true): "serverStreaming"
        case (true, true): "bidirectional"
        }
    }

    func protocolDeclaration(to printer: inout CodePrinter) {
        printer.documentation(
            service.file.comments(service.path), deprecated: service.options.isDeprecated)
        printer.block("\(access)protocol \(names.protocol): RPC::RPCService") { printer in
            for (index, method) in methods.enumerated() {
                if index > 0 { printer.line() }
                printer.documentation(
                    service.file.comments(method.schema.path),
                    deprecated: method.schema.options.isDeprecated)
                requirement(method.schema, method.name, &printer)
            }
        }
    }

    private func requirement(_ method: MethodSchema, _ name: String, _ printer: inout CodePrinter) {
        function(method, name, "", &printer)
        printer.line(result(method))
    }

    private func result(_ method: MethodSchema) -> String {
        ") async throws" + (method.serverStreaming ? "" : " -> \(types.path(method.output))")
    }

    /// `func name(` and the parameters, up to the closing bracket.
    private func function(
        _ method: MethodSchema, _ name: String, _ access: String, _ printer: inout CodePrinter
    ) {
        let input = types.path(method.input)
        let output = types.path(method.output)
        var parameters = [
            method.clientStreaming
                ? "_ requests: RPC::RequestStream<\(input)>" : "_ request: \(input)",
            "_ context: RPC::ServerContext",
        ]
        if method.serverStreaming {
            parameters.append("_ responses: RPC::ResponseWriter<\(output)>")
        }
        printer.line("\(access)func \(SwiftIdentifier.escaped(name))(")
        printer.indented { printer in
            for parameter in parameters.dropLast() { printer.line("\(parameter),") }
            if let last = parameters.last { printer.line(last) }
        }
    }

    /// A service made of closures.
    func mock(to printer: inout CodePrinter) {
        printer.line(
            "/// `\(service.fullName)` made of closures, for tests: serve it in process and call it with a"
        )
        printer.line("/// \(names.client). A closure that is not set answers UNIMPLEMENTED.")
        printer.block("\(access)struct \(names.mock): \(namespace).\(names.protocol)") { printer in
            for method in methods { closure(method.schema, method.name, &printer) }
            printer.line("\(access)init() {}")
            for method in methods {
                printer.line()
                function(method.schema, method.name, access, &printer)
                printer.block(result(method.schema)) { printer in
                    let names = ServiceGenerator.argumentNames(method.schema)
                    printer.line(
                        "try await self.\(property(method.name))(\(names.joined(separator: ", ")))")
                }
            }
        }
    }

    private func closure(_ method: MethodSchema, _ name: String, _ printer: inout CodePrinter) {
        let input = types.path(method.input)
        let output = types.path(method.output)
        var parameters = [
            method.clientStreaming ? "RPC::RequestStream<\(input)>" : input, "RPC::ServerContext",
        ]
        if method.serverStreaming { parameters.append("RPC::ResponseWriter<\(output)>") }
        let blanks = parameters.map { _ in "_" }.joined(separator: ", ")
        printer.line("\(access)var \(property(name)):")
        printer.indented { printer in
            printer.line("@Sendable (\(parameters.joined(separator: ", "))) async throws")
            printer.line(
                "    -> \(method.serverStreaming ? "Swift::Void" : output) = { \(blanks) in")
            printer.line(
                "        throw RPC::RPCError.unimplemented(\(namespace).\(names.methods).\(name))")
            printer.line("    }")
        }
    }

    /// `onMeasure`: the method itself has the plain name.
    private func property(_ name: String) -> String {
        "on\(name.prefix(1).uppercased())\(name.dropFirst())"
    }

    private static func argumentNames(_ method: MethodSchema) -> [String] {
        [method.clientStreaming ? "requests" : "request", "context"]
            + (method.serverStreaming ? ["responses"] : [])
    }

    func registration(to printer: inout CodePrinter, withDefaults: Bool) {
        printer.block("extension \(namespace).\(names.protocol)") { printer in
            printer.line(
                "\(access)static var serviceName: Swift::String { \"\(service.fullName)\" }")
            printer.line()
            printer.line("/// Adds the methods of `\(service.fullName)`.")
            printer.block("\(access)func register(in router: RPC::Router)") { printer in
                printer.line("router.describe(\(FileGenerator.reference(service.file)))")
                for method in methods { handler(method.schema, method.name, &printer) }
            }
            guard withDefaults else { return }
            for method in methods {
                printer.line()
                printer.line("/// UNIMPLEMENTED, until the service says otherwise.")
                function(method.schema, method.name, access, &printer)
                printer.block(result(method.schema)) { printer in
                    printer.line(
                        "throw RPC::RPCError.unimplemented(\(namespace).\(names.methods).\(method.name))"
                    )
                }
            }
        }
    }

    private func handler(_ method: MethodSchema, _ name: String, _ printer: inout CodePrinter) {
        printer.line("router.handle(\(namespace).\(names.methods).\(name)) { call in")
        printer.indented { printer in
            var arguments = ["RPC::RequestStream(call)", "call.context"]
            if !method.clientStreaming {
                printer.line(
                    "let request = try await call.receiveOnly(as: \(types.path(method.input)).self)"
                )
                arguments[0] = "request"
            }
            if method.serverStreaming { arguments.append("RPC::ResponseWriter(call)") }
            let invocation = "try await self.\(name)(\(arguments.joined(separator: ", ")))"
            if method.serverStreaming {
                printer.line(invocation)
            } else {
                let output = types.path(method.output)
                printer.line("let response: \(output) = \(invocation)")
                printer.line("try call.sendOnly(response)")
            }
        }
        printer.line("}")
    }
}
