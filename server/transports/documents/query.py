"""Types of what stands in a query."""

from typing import Annotated

from pydantic import Field

from server.transports.http_query import MAX_LIMIT, MAX_NUMBER

PageLimit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
Number = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Counting = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
