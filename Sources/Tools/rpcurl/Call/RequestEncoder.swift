import Protobuf

/// JSON texts to request messages.
struct RequestEncoder: Sendable {
    let method: MethodSchema
    let pool: DescriptorPool
    let allowsUnknownFields: Bool

    /// - Parameter number: counts from 1, for the error.
    /// - Throws: `Failure` with the byte and the field.
    func encode(_ json: [UInt8], number: Int) throws(Failure) -> [UInt8] {
        do {
            return try ProtoJSON.parse(
                json, as: method.input, pool: pool,
                options: .init(ignoreUnknownFields: allowsUnknownFields)
            ).encoded()
        } catch {
            let which = method.clientStreaming ? "request message \(number)" : "the request"
            throw Failure(
                "\(which) is no \(method.inputName): \(error); rpcurl ADDRESS describe -template "
                    + "\(method.inputName) shows one")
        }
    }
}
