public import Protobuf

/// Server reflection, v1 and v1alpha: the two have the same messages under two names, so one
/// handler answers both.
public struct ReflectionService: ReflectionV1.ServerReflectionService {
    private let pool: DescriptorPool
    private let services: [String]

    /// - Parameter services: what `list_services` names; every service of the pool when nil.
    public init(pool: DescriptorPool, services: [String]? = nil) {
        self.pool = pool
        self.services = services ?? pool.services.map(\.fullName).sorted()
    }

    public func register(in router: Router) {
        router.describe(ReflectionV1.reflectionFile)
        router.describe(ReflectionV1alpha.reflectionFile)
        for method in [
            ReflectionV1.ServerReflectionMethods.serverReflectionInfo,
            ReflectionV1alpha.ServerReflectionMethods.serverReflectionInfo,
        ] {
            router.handle(method) { call in
                try await serverReflectionInfo(
                    RequestStream(call), call.context, ResponseWriter(call))
            }
        }
    }

    public func serverReflectionInfo(
        _ requests: RequestStream<ReflectionV1.ServerReflectionRequest>, _ context: ServerContext,
        _ responses: ResponseWriter<ReflectionV1.ServerReflectionResponse>
    ) async throws {
        // A client asks for one file after another and has most of them already.
        var sent: Set<String> = []
        for try await request in requests {
            var response = ReflectionV1.ServerReflectionResponse()
            response.validHost = request.host
            response.originalRequest = request
            response.messageResponse = answer(request.messageRequest, &sent)
            try await responses.write(response)
        }
    }

    private func answer(
        _ question: ReflectionV1.ServerReflectionRequest.OneOfMessageRequest?,
        _ sent: inout Set<String>
    ) -> ReflectionV1.ServerReflectionResponse.OneOfMessageResponse {
        switch question {
        case .listServices:
            var list = ReflectionV1.ListServiceResponse()
            list.service = services.map { name in
                var service = ReflectionV1.ServiceResponse()
                service.name = name
                return service
            }
            return .listServicesResponse(list)
        case .fileByFilename(let name):
            return files(pool.file(name), "no file \(name)", &sent)
        case .fileContainingSymbol(let symbol):
            return files(pool.file(containing: symbol), "no symbol \(symbol)", &sent)
        case .fileContainingExtension(let wanted):
            return files(
                pool.file(extending: wanted.containingType, number: wanted.extensionNumber),
                "no extension \(wanted.extensionNumber) of \(wanted.containingType)", &sent)
        case .allExtensionNumbersOfType(let type):
            guard pool.message(type) != nil else { return refuse(.notFound, "no message \(type)") }
            var numbers = ReflectionV1.ExtensionNumberResponse()
            numbers.baseTypeName = type
            numbers.extensionNumber = pool.extensions(of: type).map { Int32($0.number) }
            return .allExtensionNumbersResponse(numbers)
        case nil:
            return refuse(.invalidArgument, "the request asks nothing")
        }
    }

    /// The file and all it imports, dependencies last, without what this stream has had.
    private func files(
        _ file: FileSchema?, _ absent: String, _ sent: inout Set<String>
    ) -> ReflectionV1.ServerReflectionResponse.OneOfMessageResponse {
        guard let file else { return refuse(.notFound, absent) }
        var response = ReflectionV1.FileDescriptorResponse()
        var queue = [file]
        var seen: Set<String> = [file.name]
        while !queue.isEmpty {
            let next = queue.removeFirst()
            // The file that was asked for always goes; a client may ask twice.
            if sent.insert(next.name).inserted || next === file {
                response.fileDescriptorProto.append(next.serialized)
            }
            for dependency in next.dependencies where seen.insert(dependency.name).inserted {
                queue.append(dependency)
            }
        }
        return .fileDescriptorResponse(response)
    }

    private func refuse(
        _ code: RPCError.Code, _ message: String
    ) -> ReflectionV1.ServerReflectionResponse.OneOfMessageResponse {
        var error = ReflectionV1.ErrorResponse()
        error.errorCode = code.rawValue
        error.errorMessage = message
        return .errorResponse(error)
    }
}
