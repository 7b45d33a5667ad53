extension DynamicMessage {
    /// The message without what only its parties should see, for logs, taps and debug output:
    /// strings become `***`, other values are unset, in nested messages too. Unknown fields go, and
    /// the content of an `Any` whose type is not in the pool: nobody can tell what they hold.
    public func redacted(
        in pool: DescriptorPool, _ isSecret: (FieldSchema) -> Bool
    ) -> DynamicMessage {
        var result = self
        result.unknownFields = UnknownFields()
        for (field, value) in setFields {
            result[field] =
                isSecret(field) ? value.hidden : value.redacted(in: pool, isSecret)
        }
        guard schema.fullName == "google.protobuf.Any",
            case .string(let url)? = self["type_url"], case .bytes(let content)? = self["value"]
        else { return result }
        let name = url.split(separator: "/").last.map(String.init) ?? ""
        let inner = pool.message(name).flatMap {
            try? DynamicMessage(decoding: content, schema: $0)
        }
        result["value"] = inner.map { .bytes($0.redacted(in: pool, isSecret).encoded()) }
        return result
    }
}

extension DynamicValue {
    fileprivate var hidden: DynamicValue? {
        switch self {
        case .string: .string("***")
        case .list(let list): .list(list.compactMap(\.hidden))
        default: nil
        }
    }

    fileprivate func redacted(
        in pool: DescriptorPool, _ isSecret: (FieldSchema) -> Bool
    ) -> DynamicValue {
        switch self {
        case .message(let message): .message(message.redacted(in: pool, isSecret))
        case .list(let list): .list(list.map { $0.redacted(in: pool, isSecret) })
        case .map(let map): .map(map.mapValues { $0.redacted(in: pool, isSecret) })
        default: self
        }
    }
}
