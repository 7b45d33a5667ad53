import ConformanceSchema
import Protobuf

/// Answers one request of the conformance suite: parse a payload, print it in the wanted form.
///
/// Binary in and out goes through the generated type *and* the dynamic message; they must agree.
/// TestAllTypesProto2 has groups, which the generator refuses, and is skipped; so is text format.
struct Testee {
    typealias Request = Conformance.ConformanceRequest
    typealias Response = Conformance.ConformanceResponse
    typealias Payload = ProtobufTestMessagesProto3.TestAllTypesProto3

    private let pool = DescriptorPool(ConformanceFiles.all)

    func answer(_ request: Request) -> Response {
        var response = Response()
        response.result = result(request)
        return response
    }

    private func result(_ request: Request) -> Response.OneOfResult {
        if request.messageType == "conformance.FailureSet" {
            return .protobufPayload([])
        }
        guard request.messageType == Payload.schema.fullName else {
            return .skipped("no type \(request.messageType)")
        }
        let message: DynamicMessage
        do throws(ProtobufError) {
            guard let parsed = try parse(request) else { return .skipped("no such input format") }
            message = parsed
        } catch {
            return .parseError("\(error)")
        }
        do throws(ProtobufError) {
            return try print(message, request)
        } catch {
            return .serializeError("\(error)")
        }
    }

    private func parse(_ request: Request) throws(ProtobufError) -> DynamicMessage? {
        switch request.payload {
        case .protobufPayload(let bytes):
            return try DynamicMessage(decoding: bytes, schema: Payload.schema)
        case .jsonPayload(let text):
            let ignores = request.testCategory == .jsonIgnoreUnknownParsingTest
            return try ProtoJSON.parse(
                Array(text.utf8), as: Payload.schema, pool: pool,
                options: ProtoJSON.ParseOptions(ignoreUnknownFields: ignores))
        default:
            return nil
        }
    }

    private func print(
        _ message: DynamicMessage, _ request: Request
    ) throws(ProtobufError) -> Response.OneOfResult {
        switch request.requestedOutputFormat {
        case .protobuf:
            let typed = try Payload(decoding: message.encoded())
            let bytes = typed.encoded()
            let again = try DynamicMessage(decoding: bytes, schema: Payload.schema)
            guard again.encoded() == message.encoded() else {
                return .runtimeError("the generated and the dynamic message differ")
            }
            return .protobufPayload(bytes)
        case .json:
            let json = try ProtoJSON.print(message, pool: pool)
            return .jsonPayload(String(decoding: json, as: UTF8.self))
        default:
            return .skipped("no such output format")
        }
    }
}
