"""Embeds by LangChain, with a gateway that has a demo account. Arguments: base URL, key."""

import sys

from langchain_openai import OpenAIEmbeddings

base_url, key = sys.argv[1:3]
# Without the length check texts go as they are: with it they are made tokens by a vocabulary from the net.
embeddings = OpenAIEmbeddings(
    model="demo/embedding", base_url=base_url, api_key=key, dimensions=8, check_embedding_ctx_length=False
)
one, other = embeddings.embed_documents(["the mill pond", "a sluice"])
again = embeddings.embed_query("the mill pond")
assert len(one) == len(other) == 8 and one != other
assert all(abs(x - y) < 1e-6 for x, y in zip(one, again, strict=True))
print("embedded")
