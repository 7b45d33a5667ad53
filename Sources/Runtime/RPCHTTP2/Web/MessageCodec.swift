import Protobuf
import RPC

/// How the messages of a call are written: as protobuf, which handlers speak, or as JSON.
enum MessageCodec {
    case proto
    case json(MethodSchema, DescriptorPool)

    /// The request in protobuf.
    func decode(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
        guard case .json(let method, let pool) = self else { return message }
        // Fields of a newer contract are no error: clients and servers are deployed apart.
        let options = ProtoJSON.ParseOptions(ignoreUnknownFields: true)
        do throws(ProtobufError) {
            return try ProtoJSON.parse(message, as: method.input, pool: pool, options: options)
                .encoded()
        } catch {
            throw RPCError(.invalidArgument, "the request is no \(method.inputName): \(error)")
        }
    }

    /// The response in the call's form.
    func encode(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
        guard case .json(let method, let pool) = self else { return message }
        do throws(ProtobufError) {
            let message = try DynamicMessage(decoding: message, schema: method.output)
            return try ProtoJSON.print(message, pool: pool)
        } catch {
            throw RPCError(
                .internalError, "the response cannot be written as JSON", cause: "\(error)")
        }
    }
}
