import Protobuf

/// Prints the client of a service.
struct ClientGenerator {
    let service: ServiceSchema
    let types: TypeNames
    let access: String

    func print(to printer: inout CodePrinter) {
        let name = types.service(service).client
        printer.line("/// Calls `\(service.fullName)`.")
        printer.block("\(access)struct \(name): Swift::Sendable") { printer in
            printer.line("\(access)let channel: any RPC::Channel")
            printer.line()
            printer.line("\(access)init(_ channel: any RPC::Channel) { self.channel = channel }")
            let names = ServiceGenerator.functionNames(service)
            for (method, name) in zip(service.methods, names) {
                printer.line()
                printer.documentation(service.file.comments(method.path))
                function(method, name, &printer)
            }
        }
    }

    private func function(_ method: MethodSchema, _ name: String, _ printer: inout CodePrinter) {
        printer.line("\(access)func \(SwiftIdentifier.escaped(name))(")
        printer.indented { printer in
            if !method.clientStreaming {
                printer.line("_ request: \(types.path(method.input)),")
            }
            printer.line("metadata: RPC::Metadata = RPC::Metadata(),")
            printer.line("options: RPC::CallOptions = RPC::CallOptions()")
        }
        printer.block(") async throws -> \(result(method))") { printer in
            body(method, name, &printer)
        }
    }

    private func result(_ method: MethodSchema) -> String {
        let input = types.path(method.input)
        let output = types.path(method.output)
        return switch (method.clientStreaming, method.serverStreaming) {
        case (false, false): output
        case (false, true): "RPC::ResponseStream<\(output)>"
        case (true, false): "RPC::ClientStreamingCall<\(input), \(output)>"
        case (true, true): "RPC::BidirectionalCall<\(input), \(output)>"
        }
    }

    private func body(_ method: MethodSchema, _ name: String, _ printer: inout CodePrinter) {
        let namespace = SwiftIdentifier.namespace(package: service.file.package)
        let descriptor = "\(namespace).\(types.service(service).methods).\(name)"
        if !method.clientStreaming, !method.serverStreaming {
            printer.line("let bytes = try await self.channel.unary(")
            printer.line("    \(descriptor), request.encoded(),")
            printer.line("    metadata: metadata, options: options)")
            printer.line("do throws(Protobuf::ProtobufError) {")
            printer.line("    return try \(types.path(method.output))(decoding: bytes)")
            printer.line("} catch {")
            printer.line("    throw RPC::RPCError(decoding: error)")
            printer.line("}")
            return
        }
        printer.line("let call = try await self.channel.start(")
        printer.line("    \(descriptor), metadata: metadata, options: options)")
        if method.clientStreaming {
            printer.line("return \(result(method))(call)")
            return
        }
        printer.line("let responses = \(result(method))(call)")
        printer.line(
            "// When the server answers early, its status says more than the failed write.")
        printer.line("try? await call.send(request.encoded())")
        printer.line("call.finish()")
        printer.line("return responses")
    }
}
