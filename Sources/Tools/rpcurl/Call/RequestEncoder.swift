import Protobuf

/// JSON texts, or texts in protobuf's text format, to request messages.
struct RequestEncoder: Sendable {
    let method: MethodSchema
    let pool: DescriptorPool
    var format = Settings.Format.json
    var allowsUnknownFields = false

    /// - Parameter number: counts from 1, for the error.
    /// - Throws: `Failure` with the place and the field.
    func encode(_ text: [UInt8], number: Int) throws(Failure) -> [UInt8] {
        try message(text, number: number).encoded()
    }

    func message(_ text: [UInt8], number: Int) throws(Failure) -> DynamicMessage {
        let cause: String
        switch format {
        case .json:
            do {
                return try ProtoJSON.parse(
                    text, as: method.input, pool: pool,
                    options: .init(ignoreUnknownFields: allowsUnknownFields))
            } catch {
                cause = "\(error)"
            }
        case .text:
            do {
                return try TextFormatParser.parse(
                    text, as: method.input, pool: pool, ignoresUnknownFields: allowsUnknownFields)
            } catch {
                cause = error.sentence
            }
        }
        let which = method.clientStreaming ? "request message \(number)" : "the request"
        throw Failure(
            "\(which) is no \(method.inputName): \(cause); rpcurl ADDRESS describe -template "
                + "\(method.inputName) shows one")
    }
}
