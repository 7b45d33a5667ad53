import Protobuf

/// Prints the client of a service.
struct ClientGenerator {
    let service: ServiceSchema
    let types: TypeNames
    let access: String

    func print(to printer: inout CodePrinter) {
        let name = types.service(service).client
        printer.line("/// Calls `\(service.fullName)`.")
        let comments = service.file.comments(service.path)
        if comments != nil { printer.line("///") }
        printer.documentation(comments)
        printer.block("\(access)struct \(name): Swift::Sendable") { printer in
            printer.line("\(access)let channel: any RPC::Channel")
            printer.line()
            printer.line("\(access)init(_ channel: any RPC::Channel) { self.channel = channel }")
            for (method, name) in zip(service.methods, ServiceGenerator.functionNames(service)) {
                printer.line()
                document(method, &printer)
                plain(method, name, &printer)
                printer.line()
                printer.line(
                    "/// The same call within `body`: leaving that cancels what still runs.")
                mark(method, &printer)
                scoped(method, name, &printer)
            }
        }
    }

    private func document(_ method: MethodSchema, _ printer: inout CodePrinter) {
        printer.documentation(service.file.comments(method.path))
        mark(method, &printer)
    }

    private func mark(_ method: MethodSchema, _ printer: inout CodePrinter) {
        guard method.options.isDeprecated || service.options.isDeprecated else { return }
        printer.line("@available(*, deprecated, message: \"deprecated in \(service.file.name)\")")
    }

    /// A unary method's answer, or the call that the caller owns.
    private func plain(_ method: MethodSchema, _ name: String, _ printer: inout CodePrinter) {
        head(method, name, &printer)
        let isUnary = !method.clientStreaming && !method.serverStreaming
        let result = isUnary ? types.path(method.output) : call(method)
        printer.block(") async throws -> \(result)") { printer in
            if isUnary {
                printer.line("try await self.channel.unary(")
                printer.line("    \(descriptor(name)), request,")
                printer.line("    metadata: metadata, options: options)")
            } else {
                start(method, name, &printer)
            }
        }
    }

    private func scoped(_ method: MethodSchema, _ name: String, _ printer: inout CodePrinter) {
        head(method, "\(SwiftIdentifier.escaped(name))<Result>", isLast: false, &printer)
        printer.line(
            "    _ body: nonisolated(nonsending) (\(call(method))) async throws -> Result")
        printer.block(") async throws -> Result") { printer in
            if !method.clientStreaming, !method.serverStreaming {
                printer.line("try await \(call(method))(")
                printer.line("    self.channel, \(descriptor(name)), request,")
                printer.line("    metadata: metadata, options: options")
                printer.line(").scope(body)")
                return
            }
            let request = method.clientStreaming ? "" : "request, "
            printer.line("try await self.\(name)(\(request)metadata: metadata, options: options)")
            printer.line("    .scope(body)")
        }
    }

    private func head(
        _ method: MethodSchema, _ name: String, isLast: Bool = true, _ printer: inout CodePrinter
    ) {
        // The closure of a caller on an actor stays there, whatever the module's settings.
        let isolation = isLast ? "" : "nonisolated(nonsending) "
        let name = isLast ? SwiftIdentifier.escaped(name) : name
        printer.line("\(isolation)\(access)func \(name)(")
        printer.indented { printer in
            if !method.clientStreaming {
                printer.line("_ request: \(types.path(method.input)),")
            }
            printer.line("metadata: RPC::Metadata = RPC::Metadata(),")
            printer.line("options: RPC::CallOptions = RPC::CallOptions()\(isLast ? "" : ",")")
        }
    }

    private func call(_ method: MethodSchema) -> String {
        let input = types.path(method.input)
        let output = types.path(method.output)
        return switch (method.clientStreaming, method.serverStreaming) {
        case (false, false): "RPC::UnaryCall<\(output)>"
        case (false, true): "RPC::ResponseStream<\(output)>"
        case (true, false): "RPC::ClientStreamingCall<\(input), \(output)>"
        case (true, true): "RPC::BidirectionalCall<\(input), \(output)>"
        }
    }

    private func descriptor(_ name: String) -> String {
        let namespace = SwiftIdentifier.namespace(package: service.file.package)
        return "\(namespace).\(types.service(service).methods).\(name)"
    }

    private func start(_ method: MethodSchema, _ name: String, _ printer: inout CodePrinter) {
        let sending = method.clientStreaming ? "" : ", sending: request.encoded()"
        printer.line("\(call(method))(")
        printer.line("    try await self.channel.start(")
        printer.line("        \(descriptor(name))\(sending),")
        printer.line("        metadata: metadata, options: options))")
    }
}
