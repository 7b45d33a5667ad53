import RPC

/// A header flag, before its `${NAME}`s are known to be wanted.
struct HeaderArgument: Sendable {
    var text: String
    var isForCalls = true
    var isForReflection = true
    /// `Settings.layer`.
    var layer: Int
}

/// A `name: value` argument.
struct HeaderField: Sendable, Hashable {
    private static let reserved = ["te", "content-type", "user-agent"]

    let name: String
    private let value: Metadata.Value

    /// Values of `-bin` names are base64.
    /// - Throws: `Failure` when gRPC does not allow the field.
    init(_ text: String) throws(Failure) {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
            throw .usage("\"\(text)\" is no header: expected 'name: value'")
        }
        name = HeaderField.trim(text[..<colon]).lowercased()
        let rest = HeaderField.trim(text[text.index(after: colon)...])
        guard !HeaderField.reserved.contains(name), !name.hasPrefix("grpc-") else {
            throw .usage("\(name) belongs to gRPC itself and cannot be set with -H")
        }
        if name.hasSuffix("-bin") {
            guard let bytes = MetadataBase64.decode(rest.utf8) else {
                throw .usage("the value of \(name) must be base64, as of every -bin header")
            }
            value = .binary(bytes)
        } else {
            value = .text(String(rest))
        }
        var probe = Metadata()
        add(to: &probe)
        guard !probe.isEmpty else {
            throw .usage("\"\(name)\" is no valid header: names take a-z 0-9 - _ . , values ASCII")
        }
    }

    func add(to metadata: inout Metadata) {
        switch value {
        case .text(let text): metadata.add(text, for: name)
        case .binary(let bytes): metadata.add(binary: bytes, for: name)
        }
    }

    /// The metadata of the header flags: of each name the values of the last layer that has it.
    static func apply(
        to settings: inout Settings, environment: [String: String]
    ) throws(Failure) {
        var fields: [(field: HeaderField, argument: HeaderArgument)] = []
        for argument in settings.headers {
            // Values of the configuration file were expanded when it was read.
            let text =
                settings.expandHeaders && argument.layer == 2
                ? try EnvironmentText.expand(argument.text, environment) : argument.text
            fields.append((try HeaderField(text), argument))
        }
        for (field, argument) in fields {
            let isReplaced = fields.contains {
                $0.field.name == field.name && $0.argument.layer > argument.layer
            }
            if isReplaced { continue }
            if argument.isForCalls { field.add(to: &settings.callMetadata) }
            if argument.isForReflection { field.add(to: &settings.reflectionMetadata) }
        }
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
